#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "server/shard/work.h"

namespace tidegate {

struct Message;

// What one shard serves of a message, where there are several shards.
struct Part : Work {
  Message* message = nullptr;
  std::vector<const std::string*> own_ids;
  std::vector<std::uint32_t> own_rows, own_handles;
};

// One request with its parts, which are used again for the next one.
struct Message : Work {
  std::vector<Part> parts;     // by shard; left empty with a single one
  std::size_t parts_left = 0;  // that are not back yet
};

}  // namespace tidegate
