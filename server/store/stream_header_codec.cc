#include "server/store/stream_header_codec.h"

#include <cstdint>

namespace tidegate {

char* PutStreamHeader(char* at, const StreamHeader& header) {
  at = PutNumber(at, header.timestamp_ns);
  at = PutNumber(at, header.digest);
  at = PutNumber(at, header.sequence);
  at = PutNumber(at, header.steps);
  at = PutNumber(at, header.anomaly_score);
  at = PutNumber(at, header.refused_digest);
  at = PutNumber(at, header.refused);
  at = PutNumber(at, header.refused_reason);
  return PutNumber(at, header.quality);
}

bool GetStreamHeader(ByteReader& bytes, StreamHeader& header) {
  header.timestamp_ns = bytes.Number<std::int64_t>();
  header.digest = bytes.Number<std::uint64_t>();
  header.sequence = bytes.Number<std::uint64_t>();
  header.steps = bytes.Number<std::uint32_t>();
  header.anomaly_score = bytes.Number<float>();
  header.refused_digest = bytes.Number<std::uint32_t>();
  header.refused = bytes.Number<Outcome>();
  header.refused_reason = bytes.Number<Reason>();
  header.quality = bytes.Number<std::uint8_t>();
  return bytes.ok() && header.refused <= Outcome::kOverloaded && header.refused_reason <= Reason::kDiskFull;
}

}  // namespace tidegate
