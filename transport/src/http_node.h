// What all connections of one HttpServer share. Owned by the server; thread-safe.
#pragma once

#include <atomic>
#include <cstddef>

#include "blocking_pool.h"
#include "dispatcher.h"
#include "http_target.h"
#include "packice/transport/http_server.h"
#include "packice/transport/node_metrics.h"
#include "writer_gate.h"

namespace packice {

struct HttpNode {
  HttpNode(Peer& peer, const HttpServerOptions& server_options, NodeMetrics& node_metrics)
      : options(server_options),
        metrics(node_metrics),
        dispatcher(peer, server_options.version, node_metrics, server_options.events,
                   server_options.extension),
        routes(RoutesOf(server_options.extension)),
        pool(server_options.blocking_threads) {}

  const HttpServerOptions& options;
  NodeMetrics& metrics;
  Dispatcher dispatcher;
  const std::vector<NodeExtension::Route> routes;  // also those at /ops/
  BlockingPool pool;
  WriterGate writers;
  std::atomic<size_t> in_flight{0};
};

}  // namespace packice
