#include "server/shard/mailbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

namespace tidegate {
namespace {

using testing::ElementsAre;

Letter Task(std::function<void()> task) { return {.task = std::move(task)}; }

TEST(MailboxTest, HandsOnLettersInTheOrderInWhichTheyWerePosted) {
  Mailbox mailbox([] {});
  std::vector<int> seen;
  std::vector<Letter> letters;
  letters.push_back(Task([&] { seen.push_back(1); }));
  letters.push_back(Task([&] { seen.push_back(2); }));
  mailbox.Post(letters);
  EXPECT_TRUE(letters.empty());
  mailbox.Post(Task([&] { seen.push_back(3); }));
  mailbox.Take(letters);
  for (const Letter& letter : letters) letter.task();
  EXPECT_THAT(seen, ElementsAre(1, 2, 3));
}

TEST(MailboxTest, WakesAnOwnerThatSleepsOnce) {
  int woken = 0;
  Mailbox mailbox([&] { ++woken; });
  mailbox.Post(Task([] {}));
  EXPECT_EQ(woken, 0) << "the owner is awake";
  EXPECT_FALSE(mailbox.MaySleep()) << "there is a letter";
  std::vector<Letter> letters;
  mailbox.Take(letters);
  EXPECT_TRUE(mailbox.MaySleep());
  mailbox.Post(Task([] {}));
  mailbox.Post(Task([] {}));
  EXPECT_EQ(woken, 1);
}

// An owner that sleeps by the mailbox's word, and posters that write without any order among them.
TEST(MailboxTest, LosesNoLetterBetweenThreads) {
  constexpr int kThreads = 3, kLetters = 2000;
  std::mutex mutex;
  std::condition_variable condition;
  bool awake = false;
  Mailbox mailbox([&] {
    const std::lock_guard lock(mutex);
    awake = true;
    condition.notify_one();
  });
  std::vector<int> next(kThreads, 0);  // the owner's
  int seen = 0;
  bool in_order = true;
  std::thread owner([&] {
    std::vector<Letter> letters;
    while (seen < kThreads * kLetters) {
      if (mailbox.MaySleep()) {
        std::unique_lock lock(mutex);
        condition.wait(lock, [&] { return awake; });
        awake = false;
      }
      letters.clear();
      mailbox.Take(letters);
      for (const Letter& letter : letters) letter.task();
    }
  });
  std::vector<std::thread> posters;
  posters.reserve(kThreads);
  for (std::size_t p = 0; p < kThreads; ++p) {
    posters.emplace_back([&, p] {
      for (int i = 0; i < kLetters; ++i) {
        mailbox.Post(Task([&, p, i] {
          in_order &= next[p] == i;
          ++next[p];
          ++seen;
        }));
      }
    });
  }
  for (std::thread& poster : posters) poster.join();
  owner.join();
  EXPECT_TRUE(in_order);
  EXPECT_THAT(next, testing::Each(kLetters));
}

}  // namespace
}  // namespace tidegate
