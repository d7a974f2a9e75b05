#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace tidegate {

// One change of a disk. Files and folders are nodes; names of nodes are entries of folders.
struct DiskChange {
  enum class Kind : std::uint8_t {
    kMake,        // node, is_folder
    kName,        // node gets the name in folder; another node loses it
    kUnname,      // the name in folder is gone
    kRename,      // name in folder becomes new_name
    kWrite,       // data at offset of node; what lies between its end and offset is zero
    kTruncate,    // node is offset bytes long
    kSync,        // what was written to node is durable
    kSyncFolder,  // the entries of folder are durable
    kNote,        // nothing; the number is the caller's
  };
  Kind kind = Kind::kNote;
  bool is_folder = false;
  std::uint32_t node = 0;
  std::uint32_t folder = 0;
  std::string name = {};
  std::string new_name = {};
  std::uint64_t offset = 0;
  std::string data = {};
  std::uint64_t number = 0;
};

// A disk in memory that remembers each change since it was made. Thread-safe.
class Disk {
 public:
  static constexpr std::uint32_t kRoot = 0;
  struct Node {
    bool is_folder = false;
    std::shared_ptr<const std::string> content = std::make_shared<std::string>();
    std::map<std::string, std::uint32_t> entries = {};
  };

  Disk() : nodes_(1, Node{.is_folder = true}) {}
  // A disk as a crash may leave one. nodes[kRoot] is the root.
  explicit Disk(std::vector<Node> nodes) : nodes_(std::move(nodes)), first_nodes_(nodes_) {}

  static constexpr std::uint32_t kNone = 0xffffffff;
  std::uint32_t Find(const std::string& path) const;                                // kNone: there is nothing
  std::pair<std::uint32_t, std::string> FindFolder(const std::string& path) const;  // of a path's last name
  bool IsFolder(std::uint32_t node) const;
  std::shared_ptr<const std::string> Content(std::uint32_t node) const;
  std::vector<std::string> Names(std::uint32_t folder) const;

  // Make returns the new node.
  std::uint32_t Make(std::uint32_t folder, const std::string& name, bool is_folder);
  void Name(std::uint32_t folder, const std::string& name, std::uint32_t node);
  void Unname(std::uint32_t folder, const std::string& name);
  void Rename(std::uint32_t folder, const std::string& name, const std::string& new_name);
  void Write(std::uint32_t node, std::uint64_t offset, std::string data);
  void Append(std::uint32_t node, std::string data);
  void Truncate(std::uint32_t node, std::uint64_t size);
  void Sync(std::uint32_t node);
  void SyncFolder(std::uint32_t folder);
  void Note(std::uint64_t number);

  // For those who have the disk for themselves.
  const std::vector<DiskChange>& changes() const { return changes_; }
  const std::vector<Node>& first_nodes() const { return first_nodes_; }  // before the changes
  std::vector<Node> nodes() const {
    const std::lock_guard lock(mutex_);
    return nodes_;
  }

 private:
  void Do(DiskChange change);

  mutable std::mutex mutex_;  // guards what follows
  std::vector<Node> nodes_;
  std::vector<DiskChange> changes_;
  const std::vector<Node> first_nodes_ = {Node{.is_folder = true}};
};

// What a write leaves of a file's content; the same for the disk and for its crashes.
void ApplyToContent(const DiskChange& change, std::string& content);
// The same of a folder's entries.
void ApplyToEntries(const DiskChange& change, std::map<std::string, std::uint32_t>& entries);

}  // namespace tidegate
