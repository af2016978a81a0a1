// Delivers a message with the sans-I/O session and TLS engine over one socket and plain poll(2).
//
//   deliver_with_poll CHAIN KEY CA HOSTPART ADDRESS PORT MESSAGE

#include "conversation.hpp"

#include <netdb.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <iostream>

namespace {

int connect_to(const char* host, const char* port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host, port, &hints, &found) != 0) return -1;
  int made = -1;
  for (const addrinfo* one = found; one != nullptr && made < 0; one = one->ai_next) {
    made = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (made < 0 || connect(made, one->ai_addr, one->ai_addrlen) == 0) continue;
    close(made);
    made = -1;
  }
  freeaddrinfo(found);
  return made;
}

ima::error network(const char* what) { return {ima::fault::temporary, "connection", "", what}; }

// Waits until something can be read or sent, and does both as far as it goes.
ima::result<void> exchange(int socket, conversation& talk) {
  const ima::octets waiting = talk.output();
  pollfd watched{socket, POLLIN, 0};
  if (!waiting.empty()) watched.events |= POLLOUT;
  if (poll(&watched, 1, static_cast<int>(talk.timeout().count())) <= 0) return network("timed out");
  if ((watched.revents & POLLOUT) != 0) {
    const ssize_t count = send(socket, waiting.data(), waiting.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0) return network("cannot send");
    talk.sent(static_cast<std::size_t>(count));
  }
  if ((watched.revents & (POLLIN | POLLHUP)) == 0) return {};
  std::array<char, 16384> buffer;
  const ssize_t count = recv(socket, buffer.data(), buffer.size(), 0);
  if (count < 0) return network("cannot receive");
  return talk.receive({buffer.data(), static_cast<std::size_t>(count)});
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 8) {
    std::cerr << "usage: deliver_with_poll CHAIN KEY CA HOSTPART ADDRESS PORT MESSAGE\n";
    return 64;
  }
  auto talk = conversation::begin({argv[1], argv[2]}, argv[3], argv[4], argv[7]);
  const int socket = talk ? connect_to(argv[5], argv[6]) : -1;
  ima::result<void> good = talk ? ima::result<void>() : talk.error();
  if (good && socket < 0) good = network("cannot connect");
  while (good && !(talk->over() && talk->output().empty())) good = exchange(socket, *talk);
  if (socket >= 0) close(socket);
  if (!good) return std::cerr << good.error().message() << '\n', 1;
  return talk->delivered() ? 0 : 1;
}
