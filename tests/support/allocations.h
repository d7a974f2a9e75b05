#pragma once

#include <cstdint>

namespace tidegate {

// How often the calling thread has called operator new, in executables that are linked with allocations.cc.
// What calls malloc itself is not seen: gpr_malloc of gRPC's core.
std::uint64_t Allocations();

}  // namespace tidegate
