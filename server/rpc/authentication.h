#pragma once

#include <grpcpp/support/string_ref.h>

#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "server/metrics/metrics.h"
#include "server/rpc/tokens.h"

namespace tidegate {

// What follows "Bearer " in the only header "authorization"; empty: there is no such header.
absl::string_view TokenOf(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata);

// Who may call what: by the bearer tokens in a file (see Tokens), which is read anew when it has changed.
// Thread-safe.
class Authentication {
 public:
  using Metadata = std::multimap<grpc::string_ref, grpc::string_ref>;

  // Reads the tokens. InvalidArgument: the file cannot be read, or holds something else; the message names
  // the flag --tokens, the file and the line.
  static absl::StatusOr<std::unique_ptr<Authentication>> Load(const std::string& file, absl::Time now);

  // May a call of `method` with this metadata ("authorization: Bearer TOKEN") go on? Looks at the file first
  // if that was a second or longer ago; a file that cannot be used is logged once, and the tokens stay as
  // they were. Unauthenticated: no token, or none that is known. PermissionDenied: one without the method's
  // scope.
  absl::Status Check(Method method, const Metadata& metadata, absl::Time now);

 private:
  Authentication(std::string file, std::string text, Tokens tokens, absl::Time now);
  void Reread(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string file_;
  absl::Mutex mutex_;
  absl::StatusOr<std::string> seen_ ABSL_GUARDED_BY(mutex_);  // the last content read, or why there is none
  Tokens tokens_ ABSL_GUARDED_BY(mutex_);
  absl::Time looked_ ABSL_GUARDED_BY(mutex_);  // at the file
};

}  // namespace tidegate
