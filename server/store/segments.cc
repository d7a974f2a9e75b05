#include "server/store/segments.h"

#include <algorithm>
#include <memory>
#include <span>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/store/bytes.h"
#include "server/store/files.h"
#include "server/store/group_format.h"
#include "server/store/rocks.h"

namespace tidegate {
namespace {

constexpr char kPrefix[] = "journal-";
constexpr std::size_t kDigits = 20;
constexpr std::size_t kReadBytes = std::size_t{1} << 20;

// The groups of one file, one after the other.
class SegmentFile {
 public:
  static absl::StatusOr<SegmentFile> Open(rocksdb::FileSystem& files, const Segment& segment) {
    SegmentFile file;
    file.path_ = segment.path;
    const rocksdb::IOStatus status = files.NewSequentialFile(segment.path, {}, &file.file_, nullptr);
    if (!status.ok()) return StatusOf(status, absl::StrCat("reading ", segment.path));
    return file;
  }

  // The bytes of the next group, as far as its length can be trusted; what is left if it cannot. Empty: the
  // end, or nothing but zeros up to it: room that no group has taken (segment_writer.h). Holds until the next
  // call.
  absl::StatusOr<absl::string_view> Next() {
    at_ += std::exchange(given_, 0);
    if (absl::Status s = Fill(group_format::kHeaderBytes); !s.ok()) return s;
    ByteReader header(absl::string_view(buffer_).substr(at_));
    header.Number<std::uint32_t>();
    const std::size_t bytes = header.Number<std::uint32_t>();
    if (!header.ok() || bytes == 0) {  // room may be shorter than a header
      const auto zeros = OnlyZerosLeft();
      if (!zeros.ok()) return zeros.status();
      return *zeros ? absl::string_view() : Rest();
    }
    if (bytes < group_format::kHeaderBytes || bytes > group_format::kGroupBytes) return Rest();
    if (absl::Status s = Fill(bytes); !s.ok()) return s;
    if (buffer_.size() - at_ < bytes) return Rest();
    given_ = bytes;
    offset_ += bytes;
    return absl::string_view(buffer_).substr(at_, bytes);
  }
  std::uint64_t offset() const { return offset_; }  // behind the group that was given last

 private:
  // Has that many bytes in the buffer, unless the file ends before.
  absl::Status Fill(std::size_t bytes) {
    while (!at_end_ && buffer_.size() - at_ < bytes) {
      buffer_.erase(0, std::exchange(at_, 0));
      const std::size_t had = buffer_.size();
      buffer_.resize(std::max(bytes, had + kReadBytes));
      rocksdb::Slice read;
      const rocksdb::IOStatus status =
          file_->Read(buffer_.size() - had, {}, &read, buffer_.data() + had, nullptr);
      if (!status.ok()) return StatusOf(status, absl::StrCat("reading ", path_));
      if (read.data() != buffer_.data() + had) std::copy_n(read.data(), read.size(), buffer_.data() + had);
      buffer_.resize(had + read.size());
      at_end_ = read.empty();
    }
    return absl::OkStatus();
  }
  absl::StatusOr<bool> OnlyZerosLeft() {
    while (!at_end_) {
      if (absl::Status s = Fill(buffer_.size() - at_ + 1); !s.ok()) return s;
    }
    return Rest().find_first_not_of('\0') == absl::string_view::npos;
  }
  absl::string_view Rest() const { return absl::string_view(buffer_).substr(at_); }

  std::string path_;
  std::unique_ptr<rocksdb::FSSequentialFile> file_;
  std::string buffer_;
  std::size_t at_ = 0;     // in the buffer
  std::size_t given_ = 0;  // bytes there that the caller has
  std::uint64_t offset_ = 0;
  bool at_end_ = false;
};

// Where a reading of the journal is.
struct Course {
  std::uint64_t position;  // of which the groups behind it are wanted
  bool began = false;
};

// Whether the group may come now. Before the first one, and among those that are not wanted, there may have
// been others: trimmed files, or a time without a journal, whose checkpoint the next group then follows.
bool Follows(const GroupReader& group, const JournalScan& scan, const Course& course) {
  if (group.position() <= group.previous() || group.previous() < scan.end) return false;
  if (course.began && scan.end > course.position) return group.previous() == scan.end;
  return group.position() <= course.position || group.previous() <= course.position;
}

// How many of the first segments have no group behind `position`.
std::size_t Superfluous(const std::vector<Segment>& segments, std::uint64_t position) {
  std::size_t count = 0;
  while (count + 1 < segments.size() && segments[count + 1].first <= position + 1) ++count;
  return count;
}

absl::Status ReadSegment(SegmentFile& file, const std::string& path, Course& course,
                         const std::function<absl::Status(GroupReader&)>& each, JournalScan& scan) {
  GroupReader group;
  scan.last_bytes = 0;
  for (;;) {
    const auto bytes = file.Next();
    if (!bytes.ok()) return bytes.status();
    if (bytes->empty()) return absl::OkStatus();
    if (absl::Status s = group.Open(*bytes); !s.ok()) {
      scan.damage = absl::StrCat(path, " at byte ", scan.last_bytes, ": ", s.message());
      return absl::OkStatus();
    }
    if (!Follows(group, scan, course)) {
      scan.damage = absl::StrCat(path, " at byte ", scan.last_bytes, ": group ", group.position(),
                                 " is to follow group ", group.previous(), ", but follows group ", scan.end);
      return absl::OkStatus();
    }
    course.began = true;
    scan.end = group.position();
    ++scan.groups;
    scan.last_bytes = file.offset();
    if (group.position() <= course.position) continue;
    scan.bytes += bytes->size();
    if (absl::Status s = each(group); !s.ok()) return s;
  }
}

}  // namespace

std::string SegmentName(std::uint64_t first_position) {
  return absl::StrFormat("%s%0*d", kPrefix, static_cast<int>(kDigits), first_position);
}

absl::StatusOr<std::vector<Segment>> ListSegments(rocksdb::FileSystem& files, const std::string& folder) {
  std::vector<std::string> names;
  rocksdb::IOStatus status = files.GetChildren(folder, {}, &names, nullptr);
  std::vector<Segment> segments;
  for (const std::string& name : names) {
    Segment segment{.first = 0, .path = absl::StrCat(folder, "/", name)};
    if (!absl::StartsWith(name, kPrefix) ||
        !absl::SimpleAtoi(name.substr(sizeof(kPrefix) - 1), &segment.first)) {
      continue;
    }
    if (status.ok()) status = files.GetFileSize(segment.path, {}, &segment.bytes, nullptr);
    segments.push_back(std::move(segment));
  }
  if (!status.ok()) return StatusOf(status, absl::StrCat("listing ", folder));
  std::sort(segments.begin(), segments.end(),
            [](const Segment& a, const Segment& b) { return a.first < b.first; });
  return segments;
}

absl::Status ReadSegments(rocksdb::FileSystem& files, const std::vector<Segment>& segments,
                          std::uint64_t position, const std::function<absl::Status(GroupReader&)>& each,
                          JournalScan& scan) {
  scan = {};
  scan.segments = Superfluous(segments, position);
  Course course{.position = position};
  for (const Segment& segment : std::span(segments).subspan(scan.segments)) {
    auto file = SegmentFile::Open(files, segment);
    if (!file.ok()) return file.status();
    if (absl::Status s = ReadSegment(*file, segment.path, course, each, scan); !s.ok()) return s;
    if (!scan.damage.empty()) return absl::OkStatus();
    ++scan.segments;
  }
  return absl::OkStatus();
}

absl::Status SyncSegments(rocksdb::FileSystem& files, const std::string& folder,
                          const std::vector<Segment>& segments) {
  for (const Segment& segment : segments) {
    std::unique_ptr<rocksdb::FSRandomRWFile> file;
    rocksdb::IOStatus status = files.NewRandomRWFile(segment.path, {}, &file, nullptr);
    if (status.ok()) status = file->Sync({}, nullptr);
    if (!status.ok()) return StatusOf(status, absl::StrCat("syncing ", segment.path));
  }
  return SyncFolder(files, folder);
}

absl::Status CutSegments(rocksdb::FileSystem& files, const std::string& folder,
                         const std::vector<Segment>& segments, const JournalScan& scan) {
  if (scan.damage.empty()) return absl::OkStatus();
  for (std::size_t i = segments.size(); i > scan.segments; --i) {
    const Segment& segment = segments[i - 1];
    if (i - 1 == scan.segments && scan.last_bytes > 0) {
      if (absl::Status s = CutFile(files, segment.path, scan.last_bytes); !s.ok()) return s;
      continue;
    }
    const rocksdb::IOStatus removed = files.DeleteFile(segment.path, {}, nullptr);
    if (!removed.ok()) return StatusOf(removed, absl::StrCat("removing ", segment.path));
  }
  return SyncFolder(files, folder);
}

absl::Status TrimSegments(rocksdb::FileSystem& files, const std::string& folder, std::uint64_t position) {
  const auto segments = ListSegments(files, folder);
  if (!segments.ok()) return segments.status();
  for (const Segment& segment : std::span(*segments).first(Superfluous(*segments, position))) {
    const rocksdb::IOStatus removed = files.DeleteFile(segment.path, {}, nullptr);
    if (!removed.ok()) return StatusOf(removed, absl::StrCat("removing ", segment.path));
  }
  return absl::OkStatus();
}

}  // namespace tidegate
