#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "server/store/store.h"

namespace tidegate {

// What was done to a store, so that whatever it is after a crash can be judged. Each stream goes from version
// to version; version 0 does not exist, and all that a version holds follows from its number.
class Story {
 public:
  static constexpr std::size_t kStreams = 12;
  static std::string Id(std::size_t stream);

  // What version `version` of a stream holds.
  static StreamHeader HeaderOf(std::uint64_t version);
  static std::vector<float> FloatsOf(std::size_t stream, std::uint64_t version);

  struct Version {
    bool exists = false;
    std::uint64_t position = 0;  // of the group that made it
  };
  const std::vector<Version>& versions(std::size_t stream) const { return versions_[stream]; }
  std::uint64_t last(std::size_t stream) const { return versions_[stream].size() - 1; }
  bool exists(std::size_t stream) const { return versions_[stream].back().exists; }

  // Puts an entry that makes the stream's next version into a group, and remembers it with that group.
  void AddEntry(std::size_t stream, EntryKind kind, GroupWriter& group);
  // The group that the entries since were put into has got its position.
  void Submitted(std::uint64_t position);
  void ModelAdded() { ++models_; }

  // What had been promised at some moment: groups, and models.
  struct Promised {
    std::set<std::uint64_t> positions;
    std::size_t models = 0;
  };

  // Judges an open store, from its states and its journal. Empty: all that was promised is there, and nothing
  // but what was done. The story then goes on from what was found.
  std::string Judge(Store& store, const Promised& promised);

 private:
  struct Found {
    bool exists = false;
    bool known = false;         // version is
    std::uint64_t version = 0;  //
    std::uint64_t position = 0;
  };
  std::string ReadStates(Store& store, std::vector<Found>& found) const;
  std::string Replay(Store& store, std::vector<Found>& found) const;
  std::string ReplayEntry(const JournalEntry& entry, Found& found) const;
  std::string CheckStream(std::size_t stream, const Promised& promised, Found& found) const;

  std::vector<std::vector<Version>> versions_{kStreams, std::vector<Version>(1)};
  std::vector<std::size_t> pending_;  // streams with a version whose position is to come
  std::size_t models_ = 0;
};

}  // namespace tidegate
