#include "tests/faults/story.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

constexpr std::size_t kFloats = 20;

std::size_t StreamOf(absl::string_view id) {
  std::size_t stream = 0;
  return absl::SimpleAtoi(id.substr(1), &stream) && stream < Story::kStreams ? stream : Story::kStreams;
}

bool SameFloats(std::span<const float> a, std::span<const float> b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace

std::string Story::Id(std::size_t stream) { return absl::StrCat("s", stream); }

StreamHeader Story::HeaderOf(std::uint64_t version) {
  return {.timestamp_ns = static_cast<std::int64_t>(version),
          .digest = version * 0x9e3779b97f4a7c15,
          .sequence = version,
          .steps = static_cast<std::uint32_t>(version)};
}

std::vector<float> Story::FloatsOf(std::size_t stream, std::uint64_t version) {
  std::vector<float> floats(kFloats);
  for (std::size_t i = 0; i < kFloats; ++i) {
    floats[i] = static_cast<float>((version * 31 + stream * 7 + i * 3) % 65'521);
  }
  return floats;
}

void Story::AddEntry(std::size_t stream, EntryKind kind, GroupWriter& group) {
  const std::uint64_t version = versions_[stream].size();
  const std::string id = Id(stream);
  const std::vector<float> floats = FloatsOf(stream, version);
  if (kind == EntryKind::kReading) {
    group.AddReading({.stream = id,
                      .timestamp_ns = static_cast<std::int64_t>(version),
                      .sequence = version,
                      .values = std::span(floats).first(3)});
  } else if (kind == EntryKind::kState) {
    group.AddState({.stream = id, .header = HeaderOf(version), .floats = floats});
  } else if (kind == EntryKind::kDelete) {
    group.AddDelete(id);
  } else {
    group.AddReset(id);
  }
  versions_[stream].push_back({.exists = kind != EntryKind::kDelete});
  pending_.push_back(stream);
}

void Story::Submitted(std::uint64_t position) {
  for (const std::size_t stream : pending_) {
    auto& versions = versions_[stream];
    for (auto version = versions.rbegin(); version != versions.rend() && version->position == 0; ++version) {
      if (&*version != &versions.front()) version->position = position;
    }
  }
  pending_.clear();
}

std::string Story::Judge(Store& store, const Promised& promised) {
  std::vector<Found> found(kStreams);
  if (std::string wrong = ReadStates(store, found); !wrong.empty()) return wrong;
  if (std::string wrong = Replay(store, found); !wrong.empty()) return wrong;
  for (std::size_t stream = 0; stream < kStreams; ++stream) {
    if (std::string wrong = CheckStream(stream, promised, found[stream]); !wrong.empty()) return wrong;
  }
  const std::size_t models = store.models().size();
  if (models < promised.models || models > models_) {
    return absl::StrCat(models, " models, of which ", promised.models, " were promised and ", models_,
                        " added");
  }
  models_ = models;
  for (std::size_t stream = 0; stream < kStreams; ++stream) {
    versions_[stream].resize(found[stream].version + 1);
  }
  return "";
}

std::string Story::ReadStates(Store& store, std::vector<Found>& found) const {
  std::string wrong;
  const absl::Status read =
      store.ForEachState([&](absl::string_view id, const StoredState& state) -> absl::Status {
        const std::size_t stream = StreamOf(id);
        if (stream == kStreams) return absl::InternalError(absl::StrCat("state of nobody: ", id));
        found[stream].position = state.position;
        if (state.position > store.opening().journal_end) {
          return absl::InternalError(absl::StrCat("the state of ", id, " is ahead of the journal"));
        }
        if (state.deleted) return absl::OkStatus();
        const std::uint64_t version = state.header.sequence;
        if (version > last(stream) || !SameFloats(state.floats, FloatsOf(stream, version)) ||
            state.header.digest != HeaderOf(version).digest) {
          return absl::InternalError(absl::StrCat("wrong state of ", id, " at version ", version));
        }
        found[stream] = {.exists = true, .known = true, .version = version, .position = state.position};
        return absl::OkStatus();
      });
  return read.ok() ? "" : read.ToString();
}

std::string Story::Replay(Store& store, std::vector<Found>& found) const {
  const absl::Status read =
      store.Replay(store.opening().checkpoint, [&](GroupReader& group, double) -> absl::Status {
        for (JournalEntry entry; group.Next(entry);) {
          const std::size_t stream = StreamOf(entry.stream);
          if (stream == kStreams) return absl::InternalError(absl::StrCat("entry of nobody: ", entry.stream));
          if (found[stream].position >= group.position()) continue;
          std::string wrong = ReplayEntry(entry, found[stream]);
          if (!wrong.empty()) {
            return absl::InternalError(absl::StrCat(wrong, " in group ", group.position(), " of ",
                                                    entry.stream, ", which is at version ",
                                                    found[stream].version));
          }
        }
        return group.status();
      });
  return read.ok() ? "" : read.ToString();
}

std::string Story::ReplayEntry(const JournalEntry& entry, Found& found) const {
  const std::size_t stream = StreamOf(entry.stream);
  const auto goes_on = [&](std::uint64_t version) {
    if (version == 0 || version > last(stream)) return false;
    return found.exists ? version == found.version + 1 : !versions_[stream][version - 1].exists;
  };
  std::uint64_t version = found.version + 1;
  if (entry.kind == EntryKind::kReading) {
    version = entry.reading.sequence;
    if (!goes_on(version)) return absl::StrCat("reading ", version, " does not go on");
    const std::vector<float> floats = FloatsOf(stream, version);
    if (!SameFloats(entry.reading.values, std::span(floats).first(3))) return "wrong values";
  } else if (entry.kind == EntryKind::kState) {
    version = entry.state.header.sequence;
    if (!goes_on(version)) return absl::StrCat("state ", version, " does not go on");
    if (!SameFloats(entry.state.floats, FloatsOf(stream, version))) return "wrong state";
  } else if (!found.exists || !goes_on(version)) {
    return "an end of nothing";
  }
  found = {.exists = entry.kind != EntryKind::kDelete,
           .known = true,
           .version = version,
           .position = found.position};
  return "";
}

std::string Story::CheckStream(std::size_t stream, const Promised& promised, Found& found) const {
  const std::vector<Version>& versions = versions_[stream];
  std::uint64_t least = 0;  // the last version that was promised
  for (std::uint64_t version = 0; version < versions.size(); ++version) {
    if (promised.positions.contains(versions[version].position)) least = version;
  }
  if (!found.exists && !found.known) {
    // Which of its ends it is does not show, unless by the mark of it.
    found.version = least;
    while (found.version + 1 < versions.size() &&
           (versions[found.version].exists || versions[found.version].position < found.position)) {
      ++found.version;
    }
  }
  if (found.version >= least && found.version < versions.size() &&
      versions[found.version].exists == found.exists) {
    return "";
  }
  return absl::StrCat("lost: ", Id(stream), found.exists ? " is at" : " is deleted at", " version ",
                      found.version, ", promised is ", least);
}

}  // namespace tidegate
