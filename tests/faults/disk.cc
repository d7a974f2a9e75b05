#include "tests/faults/disk.h"

#include <algorithm>

#include "absl/strings/str_split.h"

namespace tidegate {

using Kind = DiskChange::Kind;

void ApplyToContent(const DiskChange& change, std::string& content) {
  if (change.kind == Kind::kTruncate) return content.resize(change.offset);
  const std::size_t end = change.offset + change.data.size();
  if (content.size() < end) content.resize(end);
  content.replace(change.offset, change.data.size(), change.data);
}

void ApplyToEntries(const DiskChange& change, std::map<std::string, std::uint32_t>& entries) {
  if (change.kind == Kind::kName) entries[change.name] = change.node;
  if (change.kind == Kind::kUnname) entries.erase(change.name);
  if (change.kind != Kind::kRename) return;
  const auto at = entries.find(change.name);
  if (at == entries.end()) return;
  entries[change.new_name] = at->second;
  entries.erase(change.name);
}

std::uint32_t Disk::Find(const std::string& path) const {
  const std::lock_guard lock(mutex_);
  std::uint32_t node = kRoot;
  for (const absl::string_view name : absl::StrSplit(path, '/', absl::SkipEmpty())) {
    const auto& entries = nodes_[node].entries;
    const auto at = entries.find(std::string(name));
    if (at == entries.end()) return kNone;
    node = at->second;
  }
  return node;
}

std::pair<std::uint32_t, std::string> Disk::FindFolder(const std::string& path) const {
  const std::string trimmed = path.substr(0, path.find_last_not_of('/') + 1);
  const std::size_t slash = trimmed.rfind('/');
  if (slash == std::string::npos) return {kRoot, trimmed};
  return {Find(trimmed.substr(0, slash)), trimmed.substr(slash + 1)};
}

bool Disk::IsFolder(std::uint32_t node) const {
  const std::lock_guard lock(mutex_);
  return nodes_[node].is_folder;
}

std::shared_ptr<const std::string> Disk::Content(std::uint32_t node) const {
  const std::lock_guard lock(mutex_);
  return nodes_[node].content;
}

std::vector<std::string> Disk::Names(std::uint32_t folder) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  names.reserve(nodes_[folder].entries.size());
  for (const auto& [name, node] : nodes_[folder].entries) names.push_back(name);
  return names;
}

std::uint32_t Disk::Make(std::uint32_t folder, const std::string& name, bool is_folder) {
  const std::lock_guard lock(mutex_);
  const auto node = static_cast<std::uint32_t>(nodes_.size());
  Do({.kind = Kind::kMake, .is_folder = is_folder, .node = node});
  Do({.kind = Kind::kName, .node = node, .folder = folder, .name = name});
  return node;
}
void Disk::Name(std::uint32_t folder, const std::string& name, std::uint32_t node) {
  const std::lock_guard lock(mutex_);
  Do({.kind = Kind::kName, .node = node, .folder = folder, .name = name});
}
void Disk::Unname(std::uint32_t folder, const std::string& name) {
  const std::lock_guard lock(mutex_);
  Do({.kind = Kind::kUnname, .folder = folder, .name = name});
}
void Disk::Rename(std::uint32_t folder, const std::string& name, const std::string& new_name) {
  const std::lock_guard lock(mutex_);
  Do({.kind = Kind::kRename, .folder = folder, .name = name, .new_name = new_name});
}
void Disk::Write(std::uint32_t node, std::uint64_t offset, std::string data) {
  const std::lock_guard lock(mutex_);
  Do({.kind = Kind::kWrite, .node = node, .offset = offset, .data = std::move(data)});
}
void Disk::Append(std::uint32_t node, std::string data) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t end = nodes_[node].content->size();
  Do({.kind = Kind::kWrite, .node = node, .offset = end, .data = std::move(data)});
}
void Disk::Truncate(std::uint32_t node, std::uint64_t size) {
  const std::lock_guard lock(mutex_);
  Do({.kind = Kind::kTruncate, .node = node, .offset = size});
}
void Disk::Sync(std::uint32_t node) {
  const std::lock_guard lock(mutex_);
  Do({.kind = Kind::kSync, .node = node});
}
void Disk::SyncFolder(std::uint32_t folder) {
  const std::lock_guard lock(mutex_);
  Do({.kind = Kind::kSyncFolder, .folder = folder});
}
void Disk::Note(std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  Do({.kind = Kind::kNote, .number = number});
}

void Disk::Do(DiskChange change) {
  switch (change.kind) {
    case Kind::kMake:
      nodes_.push_back({.is_folder = change.is_folder});
      break;
    case Kind::kName:
    case Kind::kUnname:
    case Kind::kRename:
      ApplyToEntries(change, nodes_[change.folder].entries);
      break;
    case Kind::kWrite:
    case Kind::kTruncate: {
      auto& content = nodes_[change.node].content;
      // Readers keep what they have; without any it is changed in place.
      if (content.use_count() > 1) content = std::make_shared<std::string>(*content);
      ApplyToContent(change, const_cast<std::string&>(*content));
      break;
    }
    default:
      break;
  }
  changes_.push_back(std::move(change));
}

}  // namespace tidegate
