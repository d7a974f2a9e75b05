#include "server/store/segment_writer.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/store/files.h"
#include "server/store/rocks.h"
#include "server/store/segments.h"

namespace tidegate {

absl::Status SegmentWriter::Append(std::uint64_t position, absl::string_view group) {
  if (current_ == nullptr || current_bytes_ + group.size() > segment_bytes_) {
    if (absl::Status s = Begin(position); !s.ok()) return s;
  }
  current_bytes_ += group.size();
  return StatusOf(current_->Append(Slice(group), {}, nullptr), "writing the journal");
}

absl::Status SegmentWriter::Begin(std::uint64_t position) {
  const std::string path = absl::StrCat(folder_, "/", SegmentName(position));
  std::unique_ptr<rocksdb::FSWritableFile> file;
  const rocksdb::IOStatus made = files_->NewWritableFile(path, {}, &file, nullptr);
  if (!made.ok()) return StatusOf(made, absl::StrCat("making ", path));
  current_ = std::move(file);
  current_bytes_ = 0;
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
