#include "server/rpc/authentication.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "proto/tls/pem.h"
#include "server/fault/fault.h"
#include "spdlog/spdlog.h"

namespace tidegate {
namespace {

constexpr char kFlag[] = "--tokens";
constexpr absl::Duration kBetweenLooks = absl::Seconds(1);
constexpr absl::string_view kScheme = "Bearer ";

absl::StatusOr<Tokens> Parse(const std::string& text, const std::string& file) {
  auto tokens = Tokens::Parse(text);
  if (tokens.ok()) return tokens;
  return absl::InvalidArgumentError(absl::StrCat(kFlag, ": ", file, ": ", tokens.status().message()));
}

}  // namespace

absl::string_view TokenOf(const Authentication::Metadata& metadata) {
  const auto [begin, end] = metadata.equal_range("authorization");
  if (begin == end || std::next(begin) != end) return {};
  const absl::string_view value(begin->second.data(), begin->second.size());
  return absl::StartsWithIgnoreCase(value, kScheme) ? value.substr(kScheme.size()) : absl::string_view();
}

Authentication::Authentication(std::string file, std::string text, Tokens tokens, absl::Time now)
    : file_(std::move(file)), seen_(std::move(text)), tokens_(std::move(tokens)), looked_(now) {}

absl::StatusOr<std::unique_ptr<Authentication>> Authentication::Load(const std::string& file,
                                                                     absl::Time now) {
  auto text = ReadFlagFile(kFlag, file);
  if (!text.ok()) return text.status();
  auto tokens = Parse(*text, file);
  if (!tokens.ok()) return tokens.status();
  spdlog::info("{} tokens in {}", tokens->size(), file);
  return std::unique_ptr<Authentication>(new Authentication(file, *std::move(text), *std::move(tokens), now));
}

void Authentication::Reread(absl::Time now) {
  looked_ = now;
  absl::StatusOr<std::string> text = ReadFlagFile(kFlag, file_);
  if (text == seen_) return;
  seen_ = std::move(text);
  auto tokens = seen_.ok() ? Parse(*seen_, file_) : seen_.status();
  if (!tokens.ok()) {
    spdlog::error("the tokens stay as they were: {}", std::string(tokens.status().message()));
    return;
  }
  tokens_ = *std::move(tokens);
  spdlog::info("{} tokens in {} now", tokens_.size(), file_);
}

absl::Status Authentication::Check(Method method, const Metadata& metadata, absl::Time now) {
  const absl::string_view token = TokenOf(metadata);
  std::optional<Tokens::Scopes> scopes;
  {
    const absl::MutexLock lock(&mutex_);
    // The clock may have been set back.
    if (now - looked_ >= kBetweenLooks || now < looked_) Reread(now);
    if (!token.empty()) scopes = tokens_.Find(token);
  }
  if (token.empty()) {
    return Refusal(Fault::kTokenMissing, "",
                   "this server wants a bearer token: send one header 'authorization: Bearer TOKEN'");
  }
  if (!scopes) return Refusal(Fault::kTokenUnknown, "", "the bearer token is none that this server knows");
  const Scope wanted = kMethodScopes[static_cast<std::size_t>(method)];
  if ((*scopes >> static_cast<int>(wanted) & 1) == 0) {
    return Refusal(
        Fault::kScopeMissing, "",
        absl::StrCat(kMethodNames[static_cast<std::size_t>(method)], " needs a token with the scope ",
                     kScopeNames[static_cast<std::size_t>(wanted)], ", which this one lacks"));
  }
  return absl::OkStatus();
}

}  // namespace tidegate
