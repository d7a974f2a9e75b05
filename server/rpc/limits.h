#pragma once

#include <cstddef>

namespace tidegate::limits {

// What clients may ask of the server.
inline constexpr std::size_t kMessageReadings = 4096;
inline constexpr std::size_t kMessageIds = kMessageReadings;  // streams that it names
inline constexpr std::size_t kMessageBytes = 1 << 20;         // received
inline constexpr std::size_t kAnswerBytes = 3 << 20;    // below the 4 MiB that gRPC clients accept by default
inline constexpr std::size_t kCallHandles = 1 << 20;    // stream ids named on one call
inline constexpr std::size_t kMetadataBytes = 8 << 10;  // headers of a call
inline constexpr int kConnectionCalls = 512;            // open at a time on one connection
inline constexpr int kReflectionThreads = 8;            // an open call of reflection has one
inline constexpr std::size_t kTransportBytes = 512 << 20;  // buffers of all connections, see kUnsentBytes

// A call of Stream is read from only while it has less than this unanswered; the rest stays in its
// connection's flow control. So a client that does not read its answers holds no more than this, plus one
// message.
inline constexpr std::size_t kCallReadings = 8192;
inline constexpr std::size_t kCallRequests = 64;
inline constexpr std::size_t kCallBytes = 8 << 20;  // of requests and their answers' forecasts

// Bytes of requests, and of forecasts in answers that are to come or that their clients have not taken: of
// one client, and of all. Above it no further message is looked at. In a container or service with less
// memory, what all have is a quarter of it, as are the buffers of connections, and what one has a sixteenth.
inline constexpr std::size_t kClientUnsentBytes = 64 << 20;
inline constexpr std::size_t kUnsentBytes = 4 * kClientUnsentBytes;

// Of calls of Subscribe. What waits for a subscriber that does not read is bounded by its bytes, all of them
// by a quarter of a container's memory; the oldest is dropped.
inline constexpr std::size_t kSubscriptions = 256;
inline constexpr std::size_t kClientSubscriptions = 64;  // of one client
inline constexpr std::size_t kSubscriptionIds = 4096;
inline constexpr std::size_t kSubscriptionBytes = 2 << 20;     // that wait
inline constexpr std::size_t kEventsMessageBytes = 256 << 10;  // a message is full

// Of one client, over all its calls: above the first its calls of Push are refused, and a call of Stream has
// one request at a time; further calls of Stream and Subscribe than the second are refused; a call of Stream
// that names more streams than the third ends.
inline constexpr std::size_t kClientReadings = 1 << 15;
inline constexpr std::size_t kClientCalls = 2048;
inline constexpr std::size_t kClientHandles = 16 * kCallHandles;

// Readings that wait for the network, the disk or another shard, of all calls. Above it calls of Push are
// refused and messages of Stream wait. Of those that wait for their own shard's network it takes in some
// 2,000 and one message at a time; further ones wait in gRPC, at most kConnectionCalls of Push on a
// connection.
inline constexpr std::size_t kWaitingReadings = 1 << 18;

}  // namespace tidegate::limits
