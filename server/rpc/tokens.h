#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/metrics/metrics.h"

namespace tidegate {

// Bearer tokens that are accepted, each known by the SHA-256 of its bytes, with what it allows. A plain
// value.
class Tokens {
 public:
  // Scopes of a token, bit by bit (1 << Scope).
  using Scopes = std::uint8_t;

  // Reads lines "<scope[,scope]> <SHA-256 of the token, 64 hex digits> [name]" with the scopes push, read and
  // admin; the name is for people. Empty lines and what follows a # are passed over. InvalidArgument: a line
  // that is none of these, by its number, or no token at all.
  static absl::StatusOr<Tokens> Parse(absl::string_view text);

  // What `token` allows, admin being all scopes; none: unknown. Takes as long whichever token it is.
  std::optional<Scopes> Find(absl::string_view token) const;

  std::size_t size() const { return entries_.size(); }

 private:
  using Digest = std::array<unsigned char, 32>;
  struct Entry {
    Digest digest;
    Scopes scopes;
  };
  static absl::StatusOr<Entry> ParseLine(absl::string_view line);

  std::vector<Entry> entries_;
};

}  // namespace tidegate
