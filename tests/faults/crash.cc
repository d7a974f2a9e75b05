#include "tests/faults/crash.h"

#include <algorithm>

namespace tidegate {
namespace {

using Kind = DiskChange::Kind;
constexpr std::size_t kSector = 512;

std::size_t Below(std::size_t n, std::mt19937_64& random) {
  return n == 0 ? 0 : static_cast<std::size_t>(random() % n);
}

// The first `bytes` of a write.
void ApplyPart(const DiskChange& write, std::size_t bytes, std::string& content) {
  DiskChange part = write;
  if (part.kind == Kind::kWrite) part.data.resize(std::min(bytes, part.data.size()));
  ApplyToContent(part, content);
}

// Of each sector that the write touches all or nothing; the file is as long as with all of it.
void ApplySectors(const DiskChange& write, std::string& content, std::mt19937_64& random) {
  if (write.kind != Kind::kWrite) return ApplyToContent(write, content);
  const std::size_t end = write.offset + write.data.size();
  if (content.size() < end) content.resize(end);
  for (std::size_t at = write.offset; at < end;) {
    const std::size_t next = std::min(end, (at / kSector + 1) * kSector);
    if (random() % 2 == 0) content.replace(at, next - at, write.data, at - write.offset, next - at);
    at = next;
  }
}

void Tear(std::size_t at, std::string& content, std::mt19937_64& random) {
  const std::size_t end = std::min(content.size(), (at / kSector + 1) * kSector);
  for (std::size_t i = at; i < end; ++i) content[i] = static_cast<char>(random());
}

}  // namespace

Crash::Crash(const std::vector<Disk::Node>& first) {
  nodes_.reserve(first.size());
  for (const Disk::Node& node : first) nodes_.push_back({node.is_folder, node.content, node.entries, {}});
}

void Crash::Go(const DiskChange& change) {
  switch (change.kind) {
    case Kind::kMake:
      nodes_.push_back({change.is_folder, std::make_shared<std::string>(), {}, {}});
      break;
    case Kind::kName:
    case Kind::kUnname:
    case Kind::kRename:
      nodes_[change.folder].pending.push_back(&change);
      break;
    case Kind::kWrite:
    case Kind::kTruncate:
      nodes_[change.node].pending.push_back(&change);
      break;
    case Kind::kSync: {
      Node& node = nodes_[change.node];
      if (node.pending.empty()) break;
      auto content = std::make_shared<std::string>(*node.content);
      for (const DiskChange* write : node.pending) ApplyToContent(*write, *content);
      node.content = std::move(content);
      node.pending.clear();
      break;
    }
    case Kind::kSyncFolder: {
      Node& folder = nodes_[change.folder];
      for (const DiskChange* entry : folder.pending) ApplyToEntries(*entry, folder.entries);
      folder.pending.clear();
      break;
    }
    case Kind::kNote:
      break;
  }
}

std::unique_ptr<Disk> Crash::Image(Kept kept, std::mt19937_64& random) const {
  std::vector<Disk::Node> image(nodes_.size());
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const Node& node = nodes_[i];
    image[i].is_folder = node.is_folder;
    image[i].entries = node.entries;
    if (!node.is_folder) {
      image[i].content = ContentOf(node, kept, random);
      continue;
    }
    const std::size_t entries = kept == Kept::kNothing ? 0
                                : kept == Kept::kAll   ? node.pending.size()
                                                       : Below(node.pending.size() + 1, random);
    for (std::size_t j = 0; j < entries; ++j) ApplyToEntries(*node.pending[j], image[i].entries);
  }
  return std::make_unique<Disk>(std::move(image));
}

std::shared_ptr<const std::string> Crash::ContentOf(const Node& node, Kept kept, std::mt19937_64& random) {
  if (node.pending.empty() || kept == Kept::kNothing) return node.content;
  auto content = std::make_shared<std::string>(*node.content);
  if (kept == Kept::kAll || kept == Kept::kSectors) {
    for (const DiskChange* write : node.pending) {
      if (kept == Kept::kAll) ApplyToContent(*write, *content);
      if (kept == Kept::kSectors) ApplySectors(*write, *content, random);
    }
    return content;
  }
  const std::size_t whole = Below(node.pending.size(), random);
  for (std::size_t i = 0; i < whole; ++i) ApplyToContent(*node.pending[i], *content);
  const DiskChange& last = *node.pending[whole];
  const std::size_t part = Below(last.data.size() + 1, random);
  if (kept == Kept::kPrefix) ApplyPart(last, part, *content);
  if (kept == Kept::kTornSector && last.kind == Kind::kWrite) {
    ApplyToContent(last, *content);
    const std::size_t end = last.offset + last.data.size();
    Tear(last.offset + part, *content, random);
    // Nothing behind the torn sector was written, if it is new.
    const std::size_t sector_end = ((last.offset + part) / kSector + 1) * kSector;
    if (sector_end < end && end == content->size() && end > node.content->size()) {
      content->resize(std::max(sector_end, node.content->size()));
    }
  }
  return content;
}

}  // namespace tidegate
