#include "server/store/segment_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/store/files.h"
#include "server/store/rocks.h"
#include "server/store/segments.h"

namespace tidegate {
namespace {

constexpr std::size_t kLeastGroupsInRoom = 32;  // larger ones gain little and would write twice as much

}  // namespace

absl::Status SegmentWriter::Append(std::uint64_t position, absl::string_view group) {
  if (current_ == nullptr || used_bytes_ + group.size() > segment_bytes_) {
    if (absl::Status s = Begin(position); !s.ok()) return s;
  }
  const absl::string_view bytes = WithRoom(group);
  const rocksdb::IOStatus written =
      current_->Write(used_bytes_, rocksdb::Slice(bytes.data(), bytes.size()), {}, nullptr);
  file_bytes_ = std::max(file_bytes_, used_bytes_ + bytes.size());
  used_bytes_ += group.size();
  return StatusOf(written, "writing the journal");
}

// The group, with zeros behind it if it is the one to make room.
absl::string_view SegmentWriter::WithRoom(absl::string_view group) {
  const bool grows = used_bytes_ + group.size() > file_bytes_;
  const std::size_t room = std::min(room_bytes_, segment_bytes_ - std::min(segment_bytes_, used_bytes_));
  if (!grows || group.size() > room / kLeastGroupsInRoom) return group;
  padded_.assign(group.data(), group.size());
  padded_.resize(room);
  return padded_;
}

absl::Status SegmentWriter::Begin(std::uint64_t position) {
  const std::string path = absl::StrCat(folder_, "/", SegmentName(position));
  std::unique_ptr<rocksdb::FSWritableFile> made;
  std::unique_ptr<rocksdb::FSRandomRWFile> file;
  rocksdb::IOStatus status = files_->NewWritableFile(path, {}, &made, nullptr);
  if (status.ok()) status = made->Close({}, nullptr);
  if (status.ok()) status = files_->NewRandomRWFile(path, {}, &file, nullptr);
  if (!status.ok()) return StatusOf(status, absl::StrCat("making ", path));
  current_ = std::move(file);
  used_bytes_ = file_bytes_ = 0;
  const std::lock_guard lock(mutex_);
  unsynced_.push_back(current_);
  new_names_ = true;
  return absl::OkStatus();
}

absl::Status SegmentWriter::Sync() {
  const std::lock_guard one(sync_mutex_);
  if (!failed_.ok()) return failed_;
  std::vector<File> open;
  bool sync_folder = false;
  {
    const std::lock_guard lock(mutex_);
    open = unsynced_;
    sync_folder = std::exchange(new_names_, false);
  }
  failed_ = SyncFiles(open, sync_folder);
  if (!failed_.ok() || open.empty()) return failed_;
  // Those that were through when it began are done with.
  const std::lock_guard lock(mutex_);
  unsynced_.erase(unsynced_.begin(), unsynced_.begin() + static_cast<std::ptrdiff_t>(open.size()) - 1);
  return failed_;
}

absl::Status SegmentWriter::SyncFiles(const std::vector<File>& open, bool sync_folder) {
  for (const File& file : open) {
    const rocksdb::IOStatus synced = file->Sync({}, nullptr);
    if (!synced.ok()) return StatusOf(synced, "syncing the journal");
  }
  return sync_folder ? SyncFolder(*files_, folder_) : absl::OkStatus();
}

}  // namespace tidegate
