#pragma once

#include <ima/mailbox/file_system.hpp>

#include <memory>
#include <string>
#include <utility>

// One process's view of a file system: it dies after a given number of changes (every later call
// fails), or one change fails and the process goes on. An append may stop half way.

namespace mailbox_test {

namespace mb = ima::mailbox;

class mortal_file_system final : public mb::file_system {
 public:
  explicit mortal_file_system(mb::file_system& below) : below_(below) {}

  std::uint64_t changes = 0;
  std::uint64_t die_at = UINT64_MAX;
  std::uint64_t fail_at = UINT64_MAX;
  std::string_view fail_with = "storage";
  std::string_view refuse_with;  // every change, and where `read-only` also what is opened for it

  bool dead() const { return changes > die_at; }

  ima::result<std::unique_ptr<mb::file>> open(const std::string& path) override {
    if (dead()) return failure("storage");
    return handle(below_.open(path));
  }
  ima::result<std::unique_ptr<mb::file>> open_append(const std::string& path) override {
    if (refuse_with == "read-only") return failure(refuse_with);
    if (dead()) return failure("storage");
    return handle(below_.open_append(path));
  }
  ima::result<std::unique_ptr<mb::file>> create(const std::string& path) override {
    if (auto may = change(); !may) return may.error();
    return handle(below_.create(path));
  }
  ima::result<void> make_directory(const std::string& path) override {
    return changing([&] { return below_.make_directory(path); });
  }
  ima::result<void> link(const std::string& from, const std::string& to) override {
    return changing([&] { return below_.link(from, to); });
  }
  ima::result<void> rename(const std::string& from, const std::string& to) override {
    return changing([&] { return below_.rename(from, to); });
  }
  ima::result<void> unlink(const std::string& path) override {
    return changing([&] { return below_.unlink(path); });
  }
  ima::result<void> remove_directory(const std::string& path) override {
    return changing([&] { return below_.remove_directory(path); });
  }
  ima::result<std::optional<mb::file_status>> status(const std::string& path) override {
    if (dead()) return failure("storage");
    return below_.status(path);
  }
  ima::result<void> list(
      const std::string& path,
      const std::function<ima::result<void>(const std::string&)>& each) override {
    if (dead()) return failure("storage");
    return below_.list(path, each);
  }
  ima::result<void> sync_directory(const std::string& path) override {
    return changing([&] { return below_.sync_directory(path); });
  }
  std::chrono::sys_seconds now() override { return below_.now(); }

 private:
  class mortal_file final : public mb::file {
   public:
    mortal_file(mortal_file_system& owner, std::unique_ptr<mb::file> below)
        : owner_(owner), below_(std::move(below)) {}
    ima::result<void> append(ima::octets text) override {
      if (auto may = owner_.change(); !may) return may;
      if (auto half = below_->append(text.substr(0, text.size() / 2)); !half) return half;
      if (auto may = owner_.change(); !may) return may;
      return below_->append(text.substr(text.size() / 2));
    }
    ima::result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) const override {
      if (owner_.dead()) return failure("storage");
      return below_->read_at(offset, into);
    }
    ima::result<std::uint64_t> size() const override { return below_->size(); }
    ima::result<std::uint64_t> identity() const override { return below_->identity(); }
    ima::result<void> sync() override {
      if (owner_.refuse_with == "disk-full") return below_->sync();  // wants no more room
      return owner_.changing([&] { return below_->sync(); });
    }
    ima::result<void> set_changed(std::chrono::sys_seconds when) override {
      return owner_.changing([&] { return below_->set_changed(when); });
    }
    ima::result<void> truncate(std::uint64_t size) override {
      return owner_.changing([&] { return below_->truncate(size); });
    }
    ima::result<void> lock() override { return below_->lock(); }
    ima::result<void> unlock() override { return below_->unlock(); }

   private:
    mortal_file_system& owner_;
    std::unique_ptr<mb::file> below_;
  };

  static ima::error failure(std::string_view rule) {
    return {ima::fault::temporary, rule, "", "simulated"};
  }

  ima::result<void> change() {
    ++changes;
    if (dead()) return failure("storage");
    if (!refuse_with.empty()) return failure(refuse_with);
    if (changes == fail_at) return failure(fail_with);
    return {};
  }
  template <class Call>
  ima::result<void> changing(const Call& call) {
    if (auto may = change(); !may) return may;
    return call();
  }
  ima::result<std::unique_ptr<mb::file>> handle(ima::result<std::unique_ptr<mb::file>> opened) {
    if (!opened) return opened;
    return std::unique_ptr<mb::file>(std::make_unique<mortal_file>(*this, std::move(*opened)));
  }

  mb::file_system& below_;
};

}  // namespace mailbox_test
