#pragma once

#include <cstdint>

namespace tidegate {

// Ways to break the store on purpose, so that a test can show that it would notice. Only in the library that
// is built for tests, with TIDEGATE_BREAKABLE; elsewhere Broken is a constant and its branches are gone.
enum class Break : std::uint8_t {
  kNothing,
  kAcknowledgeBeforeSync,
  kSkipChecksums,  // of our own; RocksDB does not survive damage without its checks
  kIgnoreWriteErrors,
  kStateBeforeJournal,  // states are flushed without the journal before them
  kIgnoreJournalEnd,    // how far the journal should go is not looked at
  kAcknowledgeWithoutJournal,
  kNoDedupe,   // a reading whose number was taken before is stepped again
  kSkipGroup,  // a replay leaves one group out
};

#ifdef TIDEGATE_BREAKABLE
inline Break broken = Break::kNothing;  // set while no store is open
inline bool Broken(Break what) { return broken == what; }
#else
constexpr bool Broken(Break) { return false; }
#endif

}  // namespace tidegate
