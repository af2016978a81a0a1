#include "python_account.hpp"

#include "retrieval_arguments.hpp"
#include "times.hpp"
#include "words.hpp"

#include <algorithm>
#include <cstring>

namespace ima::python {
namespace {

using namespace py::literals;
using namespace retrieval;

using outcomes = std::vector<message_outcome>;

ids listed(std::span<const std::string> which) { return {which.begin(), which.end()}; }

// A part as octets in memory.
class octets_part : public part_source {
 public:
  explicit octets_part(octets_in held) : view_(held.view()), held_(std::move(held.held)) {}

  std::uint64_t size() const noexcept override { return view_.size(); }
  result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
    const octets rest = view_.substr(std::min<std::uint64_t>(offset, view_.size()));
    const std::size_t count = std::min(rest.size(), into.size());
    std::memcpy(into.data(), rest.data(), count);
    return count;
  }

 private:
  octets view_;
  anywhere held_;
};

// A part as a binary file that can be searched.
class file_part : public part_source {
 public:
  explicit file_part(const py::object& file)
      : size_(file.attr("seek")(0, 2).cast<std::uint64_t>()), file_(file) {}

  std::uint64_t size() const noexcept override { return size_; }
  result<std::size_t> read_at(std::uint64_t offset, std::span<char> into) override {
    return ask_python("a part's file must have seek() and read(), which returns octets", [&] {
      (*file_).attr("seek")(offset);
      const auto got = (*file_).attr("read")(into.size()).cast<octets_in>();
      const std::size_t count = std::min(got.view().size(), into.size());
      std::memcpy(into.data(), got.view().data(), count);
      return count;
    });
  }

 private:
  std::uint64_t size_;
  anywhere file_;
};

class python_sink : public message_sink {
 public:
  explicit python_sink(py::object inner) : inner_(std::move(inner)) {}

  result<void> write(const part_slice& slice) override { return write_slice(inner_, slice); }
  result<std::string> commit() override {
    return ask_python("commit() must return the id, a str",
                      [&] { return (*inner_).attr("commit")().cast<std::string>(); });
  }

 private:
  anywhere inner_;
};

class python_account : public account {
 public:
  explicit python_account(py::object inner) : inner_(std::move(inner)) {}

  // Who raises here is not let on.
  bool may_go_on() override {
    if (!has("may_go_on")) return true;
    const auto said = get<bool>("may_go_on() must return a bool", "may_go_on");
    return said && *said;
  }

  result<std::vector<folder_info>> folders() override {
    return get<std::vector<folder_info>>("folders() must return a list of FolderInfo", "folders");
  }
  result<folder_status> status(std::string_view folder) override {
    return get<folder_status>("status() must return a FolderStatus", "status", folder);
  }
  result<change_page> changes(std::string_view folder, std::string_view token,
                              std::uint64_t page) override {
    return get<change_page>("changes() must return a ChangePage", "changes", folder, token, page);
  }
  result<std::optional<stored_header>> header(std::string_view folder,
                                              std::string_view id) override {
    return ask_python("header() must return two bytes-like objects, or None",
                      [&]() -> std::optional<stored_header> {
                        const py::object found = (*inner_).attr("header")(folder, id);
                        if (found.is_none()) return std::nullopt;
                        const auto [block, record] = found.cast<std::pair<octets_in, octets_in>>();
                        return stored_header{std::string(block.view()), std::string(record.view())};
                      });
  }
  result<std::unique_ptr<part_source>> open_part(std::string_view folder, std::string_view id,
                                                 std::uint64_t part) override {
    return ask_python("open_part() must return octets or a binary file",
                      [&]() -> std::unique_ptr<part_source> {
                        const py::object found = (*inner_).attr("open_part")(folder, id, part);
                        if (PyObject_CheckBuffer(found.ptr()) != 0)
                          return std::make_unique<octets_part>(found.cast<octets_in>());
                        return std::make_unique<file_part>(found);
                      });
  }

  result<outcomes> flag(std::string_view folder, std::span<const std::string> which,
                        const flag_change& what) override {
    return ask_python("set_flags() must return one of done, gone and changed for each id", [&] {
      return (*inner_)
          .attr("set_flags")(folder, listed(which), "add"_a = what.add, "remove"_a = what.remove,
                             "only_if_seq"_a = what.only_if_seq)
          .cast<outcomes>();
    });
  }
  result<outcomes> remove(std::string_view folder, std::span<const std::string> which) override {
    return get<outcomes>("remove() must return one of done and gone for each id", "remove", folder,
                         listed(which));
  }
  result<outcomes> move(std::string_view folder, std::string_view target,
                        std::span<const std::string> which) override {
    return get<outcomes>("move() must return one of done and gone for each id", "move", folder,
                         target, listed(which));
  }
  result<ids> copy(std::string_view folder, std::string_view target,
                   std::span<const std::string> which) override {
    return get<ids>("copy() must return a list of ids", "copy", folder, target, listed(which));
  }

  result<void> create_folder(std::string_view folder, std::string_view role) override {
    if (!has("create_folder")) return account::create_folder(folder, role);
    return run("create_folder", folder, role);
  }
  result<void> rename_folder(std::string_view folder, std::string_view target) override {
    if (!has("rename_folder")) return account::rename_folder(folder, target);
    return run("rename_folder", folder, target);
  }
  result<void> delete_folder(std::string_view folder) override {
    if (!has("delete_folder")) return account::delete_folder(folder);
    return run("delete_folder", folder);
  }
  result<std::unique_ptr<message_sink>> append(const append_target& what,
                                               const header_block& block) override {
    if (!has("append")) return account::append(what, block);
    return ask_python(
        "append() must return an object with write() and commit()",
        [&]() -> std::unique_ptr<message_sink> {
          return std::make_unique<python_sink>((*inner_).attr("append")(
              what.folder, block, "flags"_a = what.flags, "arrived"_a = what.arrived));
        });
  }
  result<search_page> search(std::string_view folder, std::string_view cursor, std::uint64_t page,
                             const search_query& query) override {
    if (!has("search")) return account::search(folder, cursor, page, query);
    return get<search_page>("search() must return a SearchPage", "search", folder, query, cursor,
                            page);
  }
  result<quota_status> quota() override {
    if (!has("quota")) return account::quota();
    return get<quota_status>("quota() must return a QuotaStatus", "quota");
  }
  result<std::unique_ptr<submission>> send(const send_options& options,
                                           const header_block& header) override {
    if (!has("send")) return account::send(options, header);
    return submission_from(inner_, options, header);
  }
  result<std::vector<queued_message>> queue() override {
    if (!has("queue")) return account::queue();
    return get<std::vector<queued_message>>("queue() must return a list of QueuedMessage", "queue");
  }
  result<std::unique_ptr<subscription>> watch(std::span<const watched_folder> folders,
                                              tell_change tell,
                                              std::function<void()> over) override {
    if (!has("watch")) return account::watch(folders, std::move(tell), std::move(over));
    return subscription_from(inner_, folders, std::move(tell), std::move(over));
  }
  result<void> change_password(octets old_password, octets new_password) override {
    if (!has("change_password")) return account::change_password(old_password, new_password);
    return ask_python("change_password() takes two passwords", [&] {
      (*inner_).attr("change_password")(to_bytes(old_password), to_bytes(new_password));
    });
  }

 private:
  template <class T, class... Args>
  result<T> get(const char* must, const char* method, const Args&... args) {
    return ask_python(must, [&] { return (*inner_).attr(method)(args...).template cast<T>(); });
  }
  template <class... Args>
  result<void> run(const char* method, const Args&... args) {
    return ask_python(method, [&] { (*inner_).attr(method)(args...); });
  }
  bool has(const char* method) const {
    const with_gil gil;
    return py::hasattr(*inner_, method);
  }

  anywhere inner_;
};

}  // namespace

error refusal_from(py::error_already_set& thrown) {
  if (thrown.matches(py::module_::import("ima.errors").attr("Error"))) {
    const py::object e = thrown.value();
    if (const auto word = reason_from(member_text(e, "rule")))
      return refusal(*word, member_text(e, "text"));
  }
  return error_from(thrown);
}

std::unique_ptr<account> account_from(py::object inner) {
  return std::make_unique<python_account>(std::move(inner));
}

}  // namespace ima::python
