#include "tests/support/raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

constexpr absl::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
constexpr std::uint8_t kEndStream = 1, kEndHeaders = 4;
constexpr std::uint8_t kData = 0, kHeaders = 1, kReset = 3, kSettings = 4, kPing = 6, kWindowUpdate = 8,
                       kContinue = 9;

std::string BigEndian(std::uint64_t value, int bytes) {
  std::string text;
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) text += static_cast<char>(value >> shift);
  return text;
}

// A header that is not to be remembered, RFC 7541, section 6.2.2; both shorter than 127 bytes.
std::string Header(absl::string_view name, absl::string_view value) {
  return absl::StrCat(std::string(1, '\0'), BigEndian(name.size(), 1), name, BigEndian(value.size(), 1),
                      value);
}

std::string CallHeaders(absl::string_view method) {
  return absl::StrCat(Header(":method", "POST"), Header(":scheme", "http"), Header(":path", method),
                      Header(":authority", "localhost"), Header("content-type", "application/grpc"),
                      Header("te", "trailers"));
}

std::string Start() { return absl::StrCat(kPreface, Http2Frame(kSettings, 0, 0, "")); }

}  // namespace

bool SendRaw(int port, absl::string_view bytes) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  const timeval limit = {.tv_sec = 10, .tv_usec = 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  bool closed = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  while (closed && !bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) break;  // the peer has closed
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  shutdown(fd, SHUT_WR);
  std::array<char, 4096> answer{};
  ssize_t received = 1;
  while (closed && received > 0) received = recv(fd, answer.data(), answer.size(), 0);
  if (received < 0) closed = errno == ECONNRESET;
  close(fd);
  return closed;
}

std::string Http2Frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                       absl::string_view payload) {
  return absl::StrCat(BigEndian(payload.size(), 3), BigEndian(type, 1), BigEndian(flags, 1),
                      BigEndian(stream, 4), payload);
}

std::string Http2Call(absl::string_view method, absl::string_view message) {
  return absl::StrCat(Start(), Http2Frame(kHeaders, kEndHeaders, 1, CallHeaders(method)),
                      Http2Frame(kData, kEndStream, 1, absl::StrCat(BigEndian(message.size(), 5), message)));
}

std::vector<std::string> BrokenConversations() {
  const std::string headers = CallHeaders("/tidegate.v1.Forecaster/Push");
  const std::string open = Http2Frame(kHeaders, kEndHeaders, 1, headers);
  const auto repeated = [](int times, auto make) {
    std::string bytes = Start();
    for (int i = 0; i < times; ++i) bytes += make(static_cast<std::uint32_t>(2 * i + 1));
    return bytes;
  };
  return {
      "",
      "\n",
      "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n",
      "\x16\x03\x01\x02\x01\x01\xfc\x03\x03 the start of TLS",
      std::string(kPreface.substr(0, 10)),
      absl::StrCat(kPreface, kPreface),
      std::string(100'000, '\0'),
      Start() + std::string("\xff\xff\xff\x00\x00\x00\x00\x00\x01", 9),  // DATA of 16 MiB announced
      Start() + Http2Frame(kSettings, 0, 0, "12345"),                    // no multiple of 6
      Start() + Http2Frame(kSettings, 0, 7, ""),                         // on a stream
      Start() + Http2Frame(kSettings, 1, 0, "123456"),                   // an acknowledgement with content
      Start() + Http2Frame(kSettings, 0, 0, BigEndian(0x0004'ffff'ffff, 6)),  // window above 2^31 - 1
      Start() + Http2Frame(kSettings, 0, 0, BigEndian(0x0005'0000'0000, 6)),  // frames of no bytes
      Start() + Http2Frame(kData, 0, 0, "x"),
      Start() + Http2Frame(kData, 0, 9, "of a stream that is not open"),
      Start() + Http2Frame(kHeaders, kEndHeaders, 0, headers),
      Start() + Http2Frame(kHeaders, kEndHeaders, 2, headers),  // a client's streams are odd
      Start() + open + open,                                    // the same stream again
      Start() + Http2Frame(kHeaders, kEndHeaders, 1, "\xff\xff\xff\xff\xff\xff\xff\xff"),
      Start() + Http2Frame(kHeaders, kEndHeaders, 1, "\x3f\xe1\xff\xff\xff\x07"),  // a table of 2 GiB
      Start() +
          Http2Frame(kHeaders, kEndHeaders, 1, std::string(9000, '\x82')),  // ":method: GET" 9,000 times
      Start() + Http2Frame(kHeaders, 0, 1, headers),                        // ends in the middle
      Start() + Http2Frame(kHeaders, 0, 1, headers) + Http2Frame(kPing, 0, 0, "12345678"),
      Start() + Http2Frame(kHeaders, 0x28 | kEndHeaders, 1, "\xff" + headers),  // more padding than bytes
      Start() + Http2Frame(kContinue, kEndHeaders, 1, headers),
      Start() + Http2Frame(kReset, 0, 0, "1234"),
      Start() + Http2Frame(kReset, 0, 1, "1"),
      Start() + Http2Frame(kPing, 0, 0, "short"),
      Start() + Http2Frame(kWindowUpdate, 0, 0, std::string(4, '\0')),
      Start() + open + Http2Frame(kWindowUpdate, 0, 1, "\x7f\xff\xff\xff") +
          Http2Frame(kWindowUpdate, 0, 1, "\x7f\xff\xff\xff"),
      Start() + Http2Frame(0xee, 0xff, 1, "a type that nobody knows"),
      Start() + open +
          Http2Frame(kData, kEndStream, 1, "\x01\x7f\xff\xff\xff"),  // a message of 2 GiB announced
      Start() + open +
          Http2Frame(kData, kEndStream, 1, std::string("\x07\0", 2)),  // half of a message's head
      repeated(500, [](std::uint32_t) { return Http2Frame(kPing, 0, 0, "12345678"); }),
      repeated(500, [](std::uint32_t) { return Http2Frame(kSettings, 0, 0, ""); }),
      repeated(500, [&](std::uint32_t s) { return Http2Frame(kHeaders, kEndHeaders, s, headers); }),
      repeated(500,
               [&](std::uint32_t s) {
                 return Http2Frame(kHeaders, kEndHeaders, s, headers) +
                        Http2Frame(kReset, 0, s, BigEndian(8, 4));
               }),
      Start() + Http2Frame(kHeaders, 0, 1, headers) +
          [] {
            std::string flood;
            for (int i = 0; i < 500; ++i) flood += Http2Frame(kContinue, 0, 1, Header("x", "y"));
            return flood;
          }(),
  };
}

}  // namespace tidegate
