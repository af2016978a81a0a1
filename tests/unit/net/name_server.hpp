#pragma once

#include "net/asio.hpp"

#include <asio/ip/udp.hpp>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

// A real DNS server, dnsmasq, on a loopback port. It knows what its options say, answers for
// everything else below example. that there is nothing, and refuses all other questions.

namespace net_test {

class name_server {
 public:
  explicit name_server(const std::vector<std::string>& records) {
    for (int tries = 0; tries < 5; ++tries) {
      address_ = "127.0.0.1:" + std::to_string(free_port());
      start(records);
      if (answers()) return;
      stop();
    }
    throw std::runtime_error("dnsmasq does not start");
  }
  name_server(const name_server&) = delete;
  name_server& operator=(const name_server&) = delete;
  ~name_server() { stop(); }

  const std::string& address() const noexcept { return address_; }

 private:
  static unsigned short free_port() {
    asio::io_context loop;
    const asio::ip::udp::socket s(loop, {asio::ip::address_v4::loopback(), 0});
    return s.local_endpoint().port();
  }

  void start(const std::vector<std::string>& records) {
    std::vector<std::string> words{"dnsmasq",
                                   "--keep-in-foreground",
                                   "--conf-file=/dev/null",
                                   "--pid-file=",
                                   "--no-resolv",
                                   "--no-hosts",
                                   "--user=",
                                   "--group=",
                                   "--listen-address=127.0.0.1",
                                   "--bind-interfaces",
                                   "--local=/example/",
                                   "--port=" + address_.substr(address_.find(':') + 1)};
    words.insert(words.end(), records.begin(), records.end());
    std::vector<char*> arguments;
    for (std::string& w : words) arguments.push_back(w.data());
    arguments.push_back(nullptr);
    child_ = ::fork();
    if (child_ != 0) return;
    const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    ::dup2(nowhere, STDOUT_FILENO);
    ::dup2(nowhere, STDERR_FILENO);
    ::execvp("dnsmasq", arguments.data());
    ::execv("/usr/sbin/dnsmasq", arguments.data());  // often not on a user's path
    ::_exit(127);
  }

  // A query that is no query is answered by an error, which is answer enough.
  bool answers() const {
    asio::io_context loop;
    asio::ip::udp::socket s(loop, asio::ip::udp::v4());
    const auto port =
        static_cast<unsigned short>(std::stoi(address_.substr(address_.find(':') + 1)));
    s.connect({asio::ip::address_v4::loopback(), port});
    s.non_blocking(true);
    for (int tries = 0; tries < 100; ++tries) {
      static constexpr unsigned char question[] = {0, 7, 1, 0,   0, 1, 0, 0, 0, 0,
                                                   0, 0, 1, 'x', 0, 0, 1, 0, 1};
      asio::error_code failed;  // nobody listens yet
      s.send(asio::buffer(question), 0, failed);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      unsigned char answer[512];
      if (s.receive(asio::buffer(answer), 0, failed) > 0 && !failed) return true;
    }
    return false;
  }

  void stop() {
    if (child_ <= 0) return;
    ::kill(child_, SIGKILL);
    ::waitpid(child_, nullptr, 0);
    child_ = -1;
  }

  std::string address_;
  pid_t child_ = -1;
};

}  // namespace net_test
