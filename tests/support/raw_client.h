#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace tidegate {

// Opens a TCP connection to `port` of the loopback, sends `bytes`, says that no more come, and reads until
// the peer closes. False: the connection was not accepted, or the peer did not close within ten seconds. That
// it closes early, or resets, is its right. Safe from any thread.
bool SendRaw(int port, absl::string_view bytes);

// One HTTP/2 frame (RFC 9113, section 4.1). type: 0 DATA, 1 HEADERS, 3 RST_STREAM, 4 SETTINGS, 6 PING, 7
// GOAWAY, 8 WINDOW_UPDATE, 9 CONTINUATION.
std::string Http2Frame(std::uint8_t type, std::uint8_t flags, std::uint32_t stream,
                       absl::string_view payload);

// All that a client sends for one call of `method` with one message (gRPC over HTTP/2, without compression).
std::string Http2Call(absl::string_view method, absl::string_view message);

// What no client that keeps to RFC 9113 sends: frames of wrong length, type, order or stream, floods, HTTP/1,
// TLS.
std::vector<std::string> BrokenConversations();

}  // namespace tidegate
