#include "server/rpc/clients.h"

#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"
#include "server/rpc/limits.h"

namespace tidegate {
namespace {

TEST(ClientsTest, AnAddressIsAClientWhateverItsPort) {
  EXPECT_EQ(HostOf("ipv4:10.0.0.7:4711"), "ipv4:10.0.0.7");
  EXPECT_EQ(HostOf("ipv6:%5B::1%5D:4711"), "ipv6:%5B::1%5D");
  EXPECT_EQ(HostOf("unix:/run/socket"), "unix:/run/socket");
  EXPECT_EQ(HostOf(""), "");
}

TEST(ClientsTest, AClientIsOneAsLongAsItHasCalls) {
  Clients clients;
  const auto a = clients.Find("a");
  EXPECT_EQ(clients.Find("a"), a);
  EXPECT_NE(clients.Find("b"), a);
  for (int i = 0; i < 1000; ++i) clients.Find(absl::StrCat(i));  // come and go
  EXPECT_EQ(clients.Find("a"), a);
}

TEST(ClientsTest, CallsBeyondTheLimitAreRefusedUntilOneEnds) {
  Clients clients;
  const auto client = clients.Find("a");
  client->calls = limits::kClientCalls - 1;
  {
    OpenCall last, further;
    EXPECT_TRUE(last.Open(client).ok());
    EXPECT_EQ(further.Open(client).code(), absl::StatusCode::kResourceExhausted);
    EXPECT_EQ(client->calls, limits::kClientCalls);
  }
  OpenCall again;
  EXPECT_TRUE(again.Open(client).ok());
}

TEST(ClientsTest, SubscriptionsBeyondTheLimitAreRefusedUntilOneEnds) {
  Clients clients;
  const auto client = clients.Find("a");
  client->subscriptions = limits::kClientSubscriptions - 1;
  {
    OpenCall last, further;
    ASSERT_TRUE(last.Open(client).ok() && further.Open(client).ok());
    EXPECT_TRUE(last.Subscribe().ok());
    EXPECT_EQ(further.Subscribe().code(), absl::StatusCode::kResourceExhausted);
  }
  EXPECT_EQ(client->subscriptions, limits::kClientSubscriptions - 1);
}

TEST(ClientsTest, ReadingsCountOverAllCallsOfAClient) {
  Clients clients;
  OpenCall one, two;
  ASSERT_TRUE(one.Open(clients.Find("a")).ok());
  ASSERT_TRUE(two.Open(clients.Find("a")).ok());
  one.Add(limits::kClientReadings - 1);
  EXPECT_FALSE(two.full());
  two.Add(1);
  EXPECT_TRUE(one.full());
  two.Remove(1);
  EXPECT_FALSE(one.full());
}

TEST(ClientsTest, StreamsAreNamedOverAllCallsOfAClient) {
  Clients clients;
  OpenCall one;
  ASSERT_TRUE(one.Open(clients.Find("a")).ok());
  {
    OpenCall two;
    ASSERT_TRUE(two.Open(clients.Find("a")).ok());
    EXPECT_TRUE(two.Name(limits::kClientHandles).ok());
    EXPECT_EQ(one.Name(1).code(), absl::StatusCode::kResourceExhausted);
    EXPECT_TRUE(one.Name(0).ok()) << "it has its own";
  }
  EXPECT_TRUE(one.Name(1).ok());
}

}  // namespace
}  // namespace tidegate
