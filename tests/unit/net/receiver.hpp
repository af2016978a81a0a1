#pragma once

#include "domains.hpp"

#include <ima/delivery/handler.hpp>
#include <ima/net/delivery_server.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// A receiving server with its real transport, whose handler remembers what was done to it.

namespace net_test {

class recording_handler : public ima::delivery::handler {
 public:
  ima::delivery::header_answer answer{
      ima::delivery::header_answer::kind::accept, ima::delivery::reason::policy, "", {}, {}, {}};
  ima::delivery::verdict verdict = ima::delivery::verdict::ok;
  std::atomic<int> judged = 0;
  std::atomic<int> recipients = 0;  // of the messages that were judged
  std::atomic<int> finished = 0;
  std::atomic<int> dropped = 0;  // accepted, and taken back
  std::atomic<std::uint64_t> octets = 0;

  std::unique_ptr<ima::delivery::transaction> open(const ima::header_block& header,
                                                   const ima::delivery::peer_info&) override {
    recipients += static_cast<int>(header.recipients().size());
    return std::make_unique<work>(*this);
  }

 private:
  class work : public ima::delivery::transaction {
   public:
    explicit work(recording_handler& owner) : owner_(owner) {}
    work(const work&) = delete;
    work& operator=(const work&) = delete;
    ~work() override {
      if (!finished_) ++owner_.dropped;
    }
    ima::delivery::header_answer judge() override {
      ++owner_.judged;
      return owner_.answer;
    }
    ima::result<void> body(const ima::part_slice& slice) override {
      owner_.octets += slice.bytes().size();
      return {};
    }
    ima::delivery::final_answer finish(ima::delivery::reply_sink&) override {
      finished_ = true;
      ++owner_.finished;
      return {owner_.verdict, false};
    }

   private:
    recording_handler& owner_;
    bool finished_ = false;
  };
};

class receiver {
 public:
  recording_handler handler;

  explicit receiver(const std::string& domain)
      : server_(make(domain, handler)), thread_([this] { server_.run(); }) {}
  receiver(const receiver&) = delete;
  receiver& operator=(const receiver&) = delete;
  ~receiver() { stop(); }

  const std::string& address() const { return server_.addresses().at(0); }
  /// Returns when everything in hand is done with.
  void stop() {
    if (!thread_.joinable()) return;
    server_.stop();
    thread_.join();
  }

 private:
  static ima::net::delivery_server make(const std::string& domain, recording_handler& h) {
    ima::net::delivery_server_options options;
    options.listen = {"127.0.0.1:0"};
    options.workers = 1;
    return ima::net::delivery_server::create(options, imdp(domain), h).value();
  }

  ima::net::delivery_server server_;
  std::thread thread_;
};

}  // namespace net_test
