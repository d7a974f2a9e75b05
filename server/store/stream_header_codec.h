#pragma once

#include <cstddef>

#include "engine/stream/stream.h"
#include "server/store/bytes.h"

namespace tidegate {

// A StreamHeader as bytes: its fields in their order, little-endian, without gaps.
inline constexpr std::size_t kStreamHeaderBytes = 39;

char* PutStreamHeader(char* at, const StreamHeader& header);

// False: no such bytes, or a value that the field cannot have.
bool GetStreamHeader(ByteReader& bytes, StreamHeader& header);

}  // namespace tidegate
