#include "server/self_probe.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace tidegate {
namespace {

// What a client begins with, and an empty SETTINGS frame: RFC 9113, section 3.4.
constexpr absl::string_view kStart("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

// Nothing if it is none of host and port, or not known now.
AddressList Resolve(absl::string_view host, const char* port) {
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(std::string(host).c_str(), port, &wanted, &found) != 0) found = nullptr;
  return {found, &freeaddrinfo};
}

// Whether this machine has the address now, as it would be asked through.
bool IsHere(int fd, const addrinfo& to) {
  sockaddr_storage from{};
  std::memcpy(&from, to.ai_addr, to.ai_addrlen);
  if (to.ai_family == AF_INET) reinterpret_cast<sockaddr_in&>(from).sin_port = 0;
  if (to.ai_family == AF_INET6) reinterpret_cast<sockaddr_in6&>(from).sin6_port = 0;
  return bind(fd, reinterpret_cast<const sockaddr*>(&from), to.ai_addrlen) == 0;
}

std::optional<bool> Dial(const addrinfo& to, absl::Duration timeout) {
  const int fd = socket(to.ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno == EAFNOSUPPORT ? std::nullopt : std::optional(false);
  const timeval limit = absl::ToTimeval(timeout);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);  // holds for connect too
  std::optional<bool> accepted;
  if (IsHere(fd, to)) {
    const bool sent = connect(fd, to.ai_addr, to.ai_addrlen) == 0 &&
                      send(fd, kStart.data(), kStart.size(), MSG_NOSIGNAL) > 0;
    // An answer, or, from a server that wants TLS, an end: who does not accept leaves the connection to the
    // kernel, which does neither.
    char answer = 0;
    accepted = sent && (recv(fd, &answer, 1, 0) >= 0 || errno == ECONNRESET);
  }
  close(fd);
  return accepted;
}

}  // namespace

std::optional<bool> AcceptsConnections(const std::string& address, absl::Duration timeout) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  absl::string_view host = absl::string_view(address).substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");  // an IPv6 address
  std::vector<absl::string_view> hosts = {host};
  if (host == "0.0.0.0" || host == "::")
    hosts = {"127.0.0.1", "::1"};  // where there is no IPv6, the first alone
  std::optional<bool> accepted;
  for (const absl::string_view one : hosts) {
    const AddressList to = Resolve(one, address.c_str() + colon + 1);
    if (to == nullptr) continue;
    const std::optional<bool> dialled = Dial(*to, timeout);
    if (dialled.value_or(false)) return true;
    if (dialled) accepted = false;
  }
  return accepted;
}

SelfProbe::SelfProbe(std::function<bool()> serves, const Options& options, std::function<void()> deaf)
    : serves_(std::move(serves)), options_(options), deaf_(std::move(deaf)), thread_([this] { Run(); }) {}

SelfProbe::~SelfProbe() {
  {
    const std::lock_guard lock(mu_);
    stop_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void SelfProbe::Run() {
  auto next = std::chrono::steady_clock::now();
  for (int failures = 0; failures < options_.failures;) {
    next += absl::ToChronoNanoseconds(options_.interval);
    {
      std::unique_lock lock(mu_);
      if (changed_.wait_until(lock, next, [this] { return stop_; })) return;
    }
    failures = serves_() ? 0 : failures + 1;
  }
  deaf_();
}

}  // namespace tidegate
