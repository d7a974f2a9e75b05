#include "server/self_probe.h"

#include <netdb.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace tidegate {
namespace {

// What a client begins with, and an empty SETTINGS frame: RFC 9113, section 3.4.
constexpr absl::string_view kStart("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33);

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

AddressList Resolve(const std::string& address) {
  const auto colon = address.rfind(':');
  absl::string_view host = absl::string_view(address).substr(0, colon);
  if (absl::ConsumePrefix(&host, "[")) absl::ConsumeSuffix(&host, "]");  // an IPv6 address
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (colon == std::string::npos ||
      getaddrinfo(std::string(host).c_str(), address.c_str() + colon + 1, &wanted, &found) != 0) {
    found = nullptr;
  }
  return {found, &freeaddrinfo};
}

}  // namespace

bool AcceptsConnections(const std::string& address, absl::Duration timeout) {
  const AddressList to = Resolve(address);
  if (to == nullptr) return false;
  const int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const timeval limit = absl::ToTimeval(timeout);
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);  // holds for connect too
  const bool sent = connect(fd, to->ai_addr, to->ai_addrlen) == 0 &&
                    send(fd, kStart.data(), kStart.size(), MSG_NOSIGNAL) > 0;
  // An answer, or, from a server that wants TLS, an end: who does not accept leaves the connection to the
  // kernel, which does neither.
  char answer = 0;
  const bool accepted = sent && (recv(fd, &answer, 1, 0) >= 0 || errno == ECONNRESET);
  close(fd);
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
