#include "handlers.hpp"
#include "python_account.hpp"
#include "retrieval_arguments.hpp"
#include "submitted.hpp"
#include "times.hpp"
#include "words.hpp"

#include <functional>
#include <mutex>
#include <utility>

// What an account written in Python does beyond its mail: sending, and telling what changes.

namespace ima::python {
namespace {

using namespace retrieval;

/// What Python may call, from any of its threads, until end(): later it does nothing. One call at a
/// time.
template <class... What>
class callback {
 public:
  using function = std::function<void(What...)>;

  explicit callback(function inner) : inner_(std::move(inner)) {}

  // Holds the GIL; whoever holds the mutex may be waiting for it.
  void operator()(What... what) {
    without_gil([&] {
      const std::lock_guard lock(mutex_);
      if (inner_) inner_(what...);
    });
  }
  // Without the GIL.
  void end() {
    const std::lock_guard lock(mutex_);
    inner_ = nullptr;
  }

 private:
  std::mutex mutex_;
  function inner_;
};

using outcome_callback = callback<const recipient_outcome&>;
using note_callback = callback<std::string_view, std::string_view>;
using change_callback = callback<const watched_folder&>;
using over_callback = callback<>;

// A message on its way out, or what became of it when it was sent before.
class python_submission : public submission {
 public:
  explicit python_submission(const py::object& said) : inner_(said) {
    if (!py::isinstance<submitted>(said)) return;
    const auto& before = said.cast<const submitted&>();
    known_ = {before.outcomes, {before.verdict, before.saved}};
  }

  const report* known() const noexcept override { return known_ ? &*known_ : nullptr; }
  result<void> write(const part_slice& slice) override { return write_slice(inner_, slice); }

  result<send_end> finish(const tell_outcome& outcome, const tell_note& note) override {
    const auto outcomes = std::make_shared<outcome_callback>(outcome);
    const auto notes = std::make_shared<note_callback>(note);
    auto end = ask_python("finish() must return a SendEnd", [&] {
      return (*inner_)
          .attr("finish")(
              py::cpp_function([outcomes](const recipient_outcome& o) { (*outcomes)(o); }),
              py::cpp_function(
                  [notes](std::string_view host, std::string_view text) { (*notes)(host, text); }))
          .cast<send_end>();
    });
    outcomes->end();
    notes->end();
    return end;
  }

 private:
  anywhere inner_;
  std::optional<report> known_;
};

class python_watch : public subscription {
 public:
  python_watch(account::tell_change tell, std::function<void()> over)
      : changed_(std::make_shared<change_callback>(std::move(tell))),
        over_(std::make_shared<over_callback>(std::move(over))) {}
  ~python_watch() override {
    changed_->end();
    over_->end();
    (void)ask_python("close() of a watch", [&] {  // sys.unraisablehook shows what it raises
      const py::object watch = std::move(watch_);
      if (py::hasattr(watch, "close")) watch.attr("close")();
    });
  }
  python_watch(const python_watch&) = delete;
  python_watch& operator=(const python_watch&) = delete;

  // With the GIL.
  void begin(const py::object& account, const watched& folders) {
    watch_ = account.attr("watch")(
        folders, py::cpp_function([to = changed_](const watched_folder& now) { (*to)(now); }),
        py::cpp_function([to = over_] { (*to)(); }));
  }

 private:
  std::shared_ptr<change_callback> changed_;
  std::shared_ptr<over_callback> over_;
  py::object watch_;
};

}  // namespace

result<void> write_slice(const anywhere& to, const part_slice& slice) {
  return ask_python("write() of a sink", [&] {
    (*to).attr("write")(
        part_event{slice.part(), py::memoryview(to_bytes(slice.bytes())), slice.last()});
  });
}

result<std::unique_ptr<submission>> submission_from(const anywhere& account,
                                                    const send_options& options,
                                                    const header_block& header) {
  using namespace py::literals;
  return ask_python(
      "send() must return an object with write() and finish(), or a Submitted",
      [&]() -> std::unique_ptr<submission> {
        return std::make_unique<python_submission>((*account).attr("send")(
            header, "save"_a = options.save, "answered"_a = references_of(options.answered),
            "forwarded"_a = references_of(options.forwarded), "parts"_a = parts_of(options)));
      });
}

result<std::unique_ptr<subscription>> subscription_from(const anywhere& account,
                                                        std::span<const watched_folder> folders,
                                                        account::tell_change tell,
                                                        std::function<void()> over) {
  watched from;
  for (const watched_folder& one : folders) from.emplace(one.folder, one.token);
  auto made = std::make_unique<python_watch>(std::move(tell), std::move(over));
  if (auto good = ask_python("watch() of an account", [&] { made->begin(*account, from); }); !good)
    return std::move(good).error();
  return std::unique_ptr<subscription>(std::move(made));
}

}  // namespace ima::python
