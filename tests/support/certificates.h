#pragma once

#include <filesystem>
#include <string>

namespace tidegate {

// A certificate authority made for one test, which signs certificates that are good for an hour.
class TestAuthority {
 public:
  // The name is for people; two authorities of the same name are still two.
  explicit TestAuthority(const std::string& name);
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;
  ~TestAuthority();

  // Its own certificate in PEM.
  const std::string& certificate() const { return certificate_; }

  // Writes a fresh key and a certificate for 127.0.0.1 and localhost, good for servers and clients.
  void Issue(const std::filesystem::path& certificate, const std::filesystem::path& key) const;

 private:
  struct Made;
  Made* made_;
  std::string certificate_;
};

// Writes `text`, replacing the file at once as `mv` does.
void ReplaceFile(const std::filesystem::path& file, const std::string& text);

}  // namespace tidegate
