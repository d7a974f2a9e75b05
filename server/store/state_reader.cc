#include "server/store/state_reader.h"

#include <memory>

namespace tidegate {
namespace {

// For reading once from one end to the other.
rocksdb::ReadOptions Sequential() {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.readahead_size = std::size_t{2} << 20;
  return options;
}

}  // namespace

StateReader::StateReader(const Database& database, absl::string_view from)
    : database_(database), from_(from.data(), from.size()), thread_([this] { Run(); }) {}

StateReader::~StateReader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool StateReader::Next() {
  if (at_ == nullptr || next_row_ == at_->rows.size()) {
    if (at_ != nullptr && at_->rows.empty()) return false;
    std::unique_lock lock(mutex_);
    if (at_ != nullptr) ++done_;
    changed_.notify_all();
    changed_.wait(lock, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return filled_ > done_; });
    at_ = &blocks_[done_ % blocks_.size()];
    next_row_ = 0;
    if (at_->rows.empty()) return false;
  }
  ++next_row_;
  return true;
}

void StateReader::Run() {
  const std::unique_ptr<rocksdb::Iterator> from(database_.db->NewIterator(Sequential(), database_.state()));
  from->Seek(from_);
  for (std::size_t n = 0;; ++n) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stop_ || filled_ - done_ < blocks_.size();
      });
      if (stop_) return;
    }
    Block& block = blocks_[n % blocks_.size()];
    Fill(*from, block);
    if (block.rows.empty()) status_ = StatusOf(from->status(), "reading the states");
    const bool end = block.rows.empty();
    {
      const std::lock_guard lock(mutex_);
      ++filled_;
    }
    changed_.notify_all();
    if (end) return;
  }
}

void StateReader::Fill(rocksdb::Iterator& from, Block& block) const {
  block.bytes.clear();
  block.rows.clear();
  for (; from.Valid() && block.bytes.size() < kBlockBytes; from.Next()) {
    const rocksdb::Slice id = from.key(), record = from.value();
    block.rows.push_back({.begin = block.bytes.size(),
                          .id_bytes = static_cast<std::uint32_t>(id.size()),
                          .record_bytes = static_cast<std::uint32_t>(record.size())});
    block.bytes.append(id.data(), id.size()).append(record.data(), record.size());
  }
}

}  // namespace tidegate
