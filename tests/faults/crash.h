#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/faults/disk.h"

namespace tidegate {

// What a power cut leaves of what was not synced.
enum class Kept : std::uint8_t {
  kNothing,
  kAll,
  kPrefix,      // of each file's writes and each folder's entries, cut anywhere
  kSectors,     // of each write any sectors of 512 bytes; the others are as before, or zero
  kTornSector,  // as kPrefix, and the sector in which a file's writes end is half old, half garbage
};
inline constexpr std::array kEveryKept = {Kept::kNothing, Kept::kAll, Kept::kPrefix, Kept::kSectors,
                                          Kept::kTornSector};

// A disk as power cuts see it: what is durable of it, and what is on its way. Goes through the changes of a
// Disk; after each of them the power may fail.
class Crash {
 public:
  explicit Crash(const std::vector<Disk::Node>& first);
  void Go(const DiskChange& change);

  // The disk after a power cut now.
  std::unique_ptr<Disk> Image(Kept kept, std::mt19937_64& random) const;

 private:
  struct Node {
    bool is_folder = false;
    std::shared_ptr<const std::string> content;
    std::map<std::string, std::uint32_t> entries;
    std::vector<const DiskChange*> pending;  // not yet durable
  };

  static std::shared_ptr<const std::string> ContentOf(const Node& node, Kept kept, std::mt19937_64& random);

  std::vector<Node> nodes_;
};

}  // namespace tidegate
