#include "tests/support/process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "absl/strings/match.h"
#include "absl/time/clock.h"

namespace tidegate {
namespace {

// Closes on exec, so that a child does not hold the pipes of another.
std::pair<int, int> MakePipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) std::abort();
  return {ends[0], ends[1]};
}

// Appends one read to `text`; closes `fd` at its end.
void ReadSome(int& fd, std::string& text) {
  std::array<char, 4096> buffer;
  const ssize_t got = read(fd, buffer.data(), buffer.size());
  if (got > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  } else {
    close(fd);
    fd = -1;
  }
}

}  // namespace

Process::Process(std::vector<std::string> arguments) {
  const auto [out_read, out_write] = MakePipe();
  const auto [err_read, err_write] = MakePipe();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out_write, STDOUT_FILENO);
  posix_spawn_file_actions_adddup2(&actions, err_write, STDERR_FILENO);
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  const int error = posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(out_write);
  close(err_write);
  out_fd_ = out_read;
  err_fd_ = err_read;
  if (error != 0) {
    std::fprintf(stderr, "cannot start %s: error %d\n", argv[0], error);
    std::abort();
  }
}

Process::~Process() {
  if (!ended_) {
    Signal(SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  for (const int fd : {out_fd_, err_fd_}) {
    if (fd >= 0) close(fd);
  }
}

void Process::Signal(int signal) { kill(pid_, signal); }

bool Process::Read(absl::Time deadline) {
  if (out_fd_ < 0 && err_fd_ < 0) return false;
  std::array<pollfd, 2> fds = {{{out_fd_, POLLIN, 0}, {err_fd_, POLLIN, 0}}};  // poll passes over -1
  const auto left = absl::ToInt64Milliseconds(deadline - absl::Now());
  if (left <= 0 ||
      poll(fds.data(), fds.size(), static_cast<int>(std::min<std::int64_t>(left, 1'000'000))) <= 0) {
    return false;
  }
  if (fds[0].revents != 0) ReadSome(out_fd_, result_.out);
  if (fds[1].revents != 0) ReadSome(err_fd_, result_.err);
  return true;
}

std::string Process::WaitForLine(const std::string& prefix, absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  std::size_t begin = 0;  // of the first line not looked at
  do {
    for (std::size_t end; (end = result_.out.find('\n', begin)) != std::string::npos; begin = end + 1) {
      if (result_.out.compare(begin, prefix.size(), prefix) == 0)
        return result_.out.substr(begin, end - begin);
    }
  } while (Read(deadline));
  return "";
}

bool Process::WaitForError(const std::string& text, absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  do {
    if (result_.err.find(text) != std::string::npos) return true;
  } while (Read(deadline));
  return false;
}

Process::Result Process::Wait(absl::Duration limit) {
  const absl::Time deadline = absl::Now() + limit;
  while (Read(deadline)) {
  }
  if (out_fd_ >= 0 || err_fd_ >= 0) Signal(SIGKILL);  // the outputs close with the child; they have not
  int status = 0;
  waitpid(pid_, &status, 0);
  ended_ = true;
  result_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return result_;
}

Process::Result RunProcess(std::vector<std::string> arguments) {
  return Process(std::move(arguments)).Wait(absl::Minutes(1));
}

}  // namespace tidegate
