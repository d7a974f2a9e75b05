#include "tests/bench/framework_peers.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <sstream>

namespace tidegate {
namespace {

std::string ReadLine(FILE* from) {
  std::string line;
  for (int c = std::fgetc(from); c != EOF && c != '\n'; c = std::fgetc(from)) line += static_cast<char>(c);
  return line;
}

}  // namespace

FrameworkPeers::FrameworkPeers(const std::string& script) {
  const std::string path = std::string(TIDEGATE_BENCH_DIR "/") + script;
  const char* const named = std::getenv("TIDEGATE_BENCH_PYTHON");
  std::istringstream pythons(named == nullptr ? "python3" : named);
  for (std::string python; std::getline(pythons, python, ':');) {
    std::array<int, 2> requests{}, answers{};
    if (pipe2(requests.data(), O_CLOEXEC) != 0 || pipe2(answers.data(), O_CLOEXEC) != 0) return;
    Interpreter interpreter;
    interpreter.process = fork();
    if (interpreter.process == 0) {
      dup2(requests[0], 0);
      dup2(answers[1], 1);
      execlp(python.c_str(), python.c_str(), path.c_str(), nullptr);
      _exit(127);
    }
    close(requests[0]);
    close(answers[1]);
    interpreter.to = fdopen(requests[1], "w");
    interpreter.from = fdopen(answers[0], "r");
    std::istringstream names(ReadLine(interpreter.from));
    for (std::string name; names >> name;) interpreter.frameworks.push_back(name);
    interpreters_.push_back(interpreter);
  }
}

FrameworkPeers::~FrameworkPeers() {
  for (const Interpreter& interpreter : interpreters_) {
    std::fclose(interpreter.to);
    std::fclose(interpreter.from);
    waitpid(interpreter.process, nullptr, 0);
  }
}

std::vector<std::pair<std::string, double>> FrameworkPeers::Measure(const StepShape& shape) {
  std::ostringstream line;
  line << (shape.lstm ? "lstm " : "gru ") << shape.inputs << ' ' << shape.units << ' ' << shape.layers << ' '
       << shape.batch << ' ' << shape.filters;
  return Ask(line.str());
}

std::vector<std::pair<std::string, double>> FrameworkPeers::Ask(const std::string& line) {
  std::vector<std::pair<std::string, double>> measured;
  for (const Interpreter& interpreter : interpreters_) {
    if (interpreter.frameworks.empty()) continue;
    std::fprintf(interpreter.to, "%s\n", line.c_str());
    std::fflush(interpreter.to);
    std::istringstream numbers(ReadLine(interpreter.from));
    for (const std::string& name : interpreter.frameworks) {
      double ns = 0;
      if (numbers >> ns) measured.emplace_back(name, ns);
    }
  }
  return measured;
}

}  // namespace tidegate
