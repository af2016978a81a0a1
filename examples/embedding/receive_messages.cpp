// A receiver with a handler of its own: each message becomes a file named by its digest.
//
//   receive_messages CHAIN KEY CA LISTEN DIRECTORY

#include <ima/net/delivery_server.hpp>

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>

namespace {

namespace delivery = ima::delivery;

class file_writer : public delivery::transaction {
 public:
  file_writer(const ima::header_block& header, const std::filesystem::path& directory)
      : header_(header),
        final_(directory / (header.id_digest().hex() + ".ima")),
        draft_(directory / ".draft-XXXXXX") {}
  file_writer(const file_writer&) = delete;
  file_writer& operator=(const file_writer&) = delete;
  ~file_writer() override {
    if (file_ < 0) return;
    close(file_);
    unlink(draft_.c_str());  // after finish() there is nothing left to remove
  }

  delivery::header_answer judge() override {
    using answer = delivery::header_answer;
    std::error_code failed;
    if (exists(final_, failed))
      return {.what = answer::kind::verdict, .already = header_.recipients()};
    // A name of its own: what a crash left behind is in nobody's way, and where the same message
    // comes over two connections the two files are alike.
    file_ = mkostemp(draft_.data(), O_CLOEXEC);
    if (file_ < 0 || !write(header_.text()))
      return {.what = answer::kind::defer, .why = delivery::reason::storage};
    return {.what = answer::kind::accept};
  }

  ima::result<void> body(const ima::part_slice& slice) override {
    if (write(slice.bytes())) return {};
    return ima::error{ima::fault::temporary, "storage", final_.string(), "cannot write"};
  }

  // OK means that the message survives a power cut, so file and name are synced before.
  delivery::final_answer finish(delivery::reply_sink& sink) override {
    const int folder = open(final_.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool durable = fsync(file_) == 0 && rename(draft_.c_str(), final_.c_str()) == 0 &&
                         folder >= 0 && fsync(folder) == 0;
    if (folder >= 0) close(folder);
    sink.note(durable ? "kept as a file" : "the disk fails");
    return {.what = durable ? delivery::verdict::ok : delivery::verdict::defer};
  }

 private:
  bool write(ima::octets text) const {
    while (!text.empty()) {
      const ssize_t count = ::write(file_, text.data(), text.size());
      if (count < 0) return false;
      text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
  }

  ima::header_block header_;
  std::filesystem::path final_;
  std::string draft_;
  int file_ = -1;
};

struct file_handler : delivery::handler {
  explicit file_handler(std::filesystem::path d) : directory(std::move(d)) {}
  std::unique_ptr<delivery::transaction> open(const ima::header_block& header,
                                              const delivery::peer_info&) override {
    return std::make_unique<file_writer>(header, directory);
  }
  std::filesystem::path directory;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6) return std::cerr << "usage: receive_messages CHAIN KEY CA LISTEN DIRECTORY\n", 64;
  const auto tls = ima::tls::context::create(
      {.credentials = {{argv[1], argv[2]}}, .system_store = false, .ca_file = argv[3]});
  if (!tls) return std::cerr << tls.error().message() << '\n', 1;
  file_handler handler(argv[5]);
  auto server = ima::net::delivery_server::create({.listen = {argv[4]}}, *tls, handler);
  if (!server) return std::cerr << server.error().message() << '\n', 1;
  std::cout << server->addresses().front() << std::endl;
  server->run();
}
