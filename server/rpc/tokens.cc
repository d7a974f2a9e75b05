#include "server/rpc/tokens.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace tidegate {
namespace {

constexpr Tokens::Scopes kAllScopes = (1 << kScopeNames.size()) - 1;

// The scope's bit; 0: there is no such scope.
Tokens::Scopes ScopeBit(absl::string_view name) {
  const auto found = std::find(kScopeNames.begin(), kScopeNames.end(), name);
  if (found == kScopeNames.end()) return 0;
  return static_cast<Tokens::Scopes>(1 << (found - kScopeNames.begin()));
}

}  // namespace

// The words of a line are never repeated in an error: one may be a token put there by mistake.
absl::StatusOr<Tokens::Entry> Tokens::ParseLine(absl::string_view line) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  Entry entry = {};
  for (const absl::string_view name : absl::StrSplit(words[0], ',')) {
    const Scopes bit = ScopeBit(name);
    if (bit == 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("the first word is not a list of scopes: expected some of ",
                       absl::StrJoin(kScopeNames, ", "), ", with commas between"));
    }
    entry.scopes |= bit;
  }
  if (entry.scopes & ScopeBit(kScopeNames[static_cast<std::size_t>(Scope::kAdmin)]))
    entry.scopes = kAllScopes;
  if (words.size() < 2 || words[1].size() != 2 * entry.digest.size() ||
      !std::all_of(words[1].begin(), words[1].end(), absl::ascii_isxdigit)) {
    return absl::InvalidArgumentError("the second word is not a SHA-256: expected 64 hex digits");
  }
  const std::string bytes = absl::HexStringToBytes(words[1]);
  std::copy(bytes.begin(), bytes.end(), entry.digest.begin());
  if (words.size() > 3) return absl::InvalidArgumentError("more than three words; a name has no spaces");
  return entry;
}

absl::StatusOr<Tokens> Tokens::Parse(absl::string_view text) {
  Tokens tokens;
  std::size_t number = 0;
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    line = absl::StripAsciiWhitespace(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const auto entry = ParseLine(line);
    if (!entry.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("line ", number, ": ", entry.status().message()));
    }
    tokens.entries_.push_back(*entry);
  }
  if (tokens.entries_.empty()) return absl::InvalidArgumentError("no tokens: with them, nobody could call");
  return tokens;
}

std::optional<Tokens::Scopes> Tokens::Find(absl::string_view token) const {
  Digest digest;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  Scopes scopes = 0;
  for (const Entry& entry : entries_) {
    const bool same = CRYPTO_memcmp(entry.digest.data(), digest.data(), digest.size()) == 0;
    scopes |= static_cast<Scopes>(same ? entry.scopes : 0);
  }
  if (scopes == 0) return std::nullopt;
  return scopes;
}

}  // namespace tidegate
