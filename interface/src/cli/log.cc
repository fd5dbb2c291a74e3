#include "cli/log.h"

#include <glog/logging.h>

namespace packice::cli {

void StartLog(int verbosity) {
  FLAGS_logtostderr = true;
  FLAGS_v = verbosity;
  google::InitGoogleLogging("packice");
}

}  // namespace packice::cli
