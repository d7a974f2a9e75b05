#pragma once

#include <cstddef>

// The bytes of a journal group; all numbers little-endian.
//   checksum   u32   crc32c of what follows it
//   bytes      u32   of the whole group
//   position   u64
//   previous   u64   position of the group before it, 0: none; so a missing group is noticed
//   entries    u32
//   0          u32
//   entry, ...       kind u8, bytes of the id u8, then by kind:
//     reading        flags u8 (1: accept_gap), outcome u8, reason u8, 0 u8, model u16, F u16, timestamp i64,
//                    sequence u64, id, values f32 [F]
//     state          model u16, floats u32, header (stream_header_codec.h), id, floats f32
//     delete, reset  id
namespace tidegate::group_format {

inline constexpr std::size_t kHeaderBytes = 32;
inline constexpr std::size_t kChecksumBytes = 4;
inline constexpr std::size_t kGroupBytes = std::size_t{1} << 30;  // at most
inline constexpr std::size_t kIdBytes = 128;                      // at most
inline constexpr std::size_t kReadingBytes = 26;  // of an entry without its id, values, floats
inline constexpr std::size_t kStateBytes = 47;    //
inline constexpr std::size_t kNameBytes = 2;      //
inline constexpr unsigned kAcceptGap = 1;

}  // namespace tidegate::group_format
