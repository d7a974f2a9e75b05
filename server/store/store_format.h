#pragma once

#include <cstdint>

// What lies where in the folder of a store:
//   store/          a RocksDB database with the column families
//     state         stream id -> state (state_record in stored_state.cc)
//     meta          a name -> text; see meta.h
//   store/journal-NNN   the journal's files: groups (group_format.h) from position NNN on
//   store/journal-end   how far the journal had been written and synced; see journal_end.h
//   store.new/      a store that is being created; without meaning
namespace tidegate::store_format {

inline constexpr std::uint32_t kVersion = 1;
inline constexpr char kDatabase[] = "store";
inline constexpr char kNewDatabase[] = "store.new";
inline constexpr char kJournalEnd[] = "journal-end";

// The first position after an opening is a multiple of this, larger than any that was used before.
inline constexpr std::uint64_t kPositionsPerOpening = std::uint64_t{1} << 40;
inline constexpr std::uint64_t OpeningOf(std::uint64_t position) { return position / kPositionsPerOpening; }

}  // namespace tidegate::store_format
