#include "handlers.hpp"

#include "events.hpp"
#include "words.hpp"

#include <ima/service/local_handler.hpp>

#include <pybind11/stl.h>

#include <string>
#include <utility>
#include <vector>

namespace ima::python {
namespace {

using namespace py::literals;

// The sink of one finish(), which Python code may keep longer than it lives.
struct sink_view {
  delivery::reply_sink* sink;

  delivery::reply_sink& live() const {
    if (sink == nullptr)
      raise({fault::caller, "out-of-turn", "", "the message has been concluded"});
    return *sink;
  }
};

// Calls Python where nobody hears of what it raises but sys.unraisablehook.
template <class F>
void call_python(F&& work) {
  const with_gil gil;
  try {
    work();
  } catch (py::error_already_set& thrown) {
    show(thrown);
  } catch (const std::exception& wrong) {
    show_wrong(wrong.what());
  }
}

class python_transaction : public delivery::transaction {
 public:
  explicit python_transaction(py::object inner) : inner_(std::move(inner)) {}

  delivery::header_answer judge() override {
    delivery::header_answer out;  // DEFER internal
    call_python([&] {
      const py::object said = (*inner_).attr("judge")();
      if (py::isinstance<delivery::header_answer>(said))
        out = said.cast<delivery::header_answer>();
      else
        show_wrong("judge() must return a HeaderAnswer");
    });
    return out;
  }

  result<void> body(const part_slice& slice) override {
    const with_gil gil;
    try {
      (*inner_).attr("body")(
          part_event{slice.part(), py::memoryview(to_bytes(slice.bytes())), slice.last()});
      return {};
    } catch (py::error_already_set& thrown) {
      return error_from(thrown);
    }
  }

  delivery::final_answer finish(delivery::reply_sink& sink) override {
    const auto view = std::make_shared<sink_view>(sink_view{&sink});
    delivery::final_answer out;
    call_python([&] { out = conclusion((*inner_).attr("finish")(view)); });
    view->sink = nullptr;
    return out;
  }

 private:
  // With the GIL.
  static delivery::final_answer conclusion(const py::object& said) {
    delivery::final_answer out;
    const std::string word = py::isinstance<py::str>(said) ? utf8_of(said) : "";
    out.drop = word == "DROP";
    for (const auto& [known, meaning] : words<delivery::verdict>::all)
      if (known == word) {
        out.what = meaning;
        return out;
      }
    if (!out.drop) show_wrong("finish() must return OK, FAIL, PARTIAL, DEFER or DROP");
    return out;
  }

  anywhere inner_;
};

// Where a handler's open() raised.
class failed_transaction : public delivery::transaction {
 public:
  delivery::header_answer judge() override { return {}; }
  result<void> body(const part_slice&) override { return {}; }
  delivery::final_answer finish(delivery::reply_sink&) override { return {}; }
};

class python_handler : public delivery::handler {
 public:
  explicit python_handler(py::object inner) : inner_(std::move(inner)) {}

  std::unique_ptr<delivery::transaction> open(const header_block& header,
                                              const delivery::peer_info& peer) override {
    std::unique_ptr<delivery::transaction> out;
    call_python(
        [&] { out = std::make_unique<python_transaction>((*inner_).attr("open")(header, peer)); });
    if (!out) out = std::make_unique<failed_transaction>();
    return out;
  }

 private:
  anywhere inner_;
};

class python_log : public log_sink {
 public:
  explicit python_log(py::object function) : function_(std::move(function)) {}

  void write(const log_event& event) override {
    static constexpr const char* levels[] = {"debug", "info", "warning", "error"};
    call_python([&] {
      py::dict fields;
      for (const auto& [key, value] : event.fields)
        fields[py::cast(key)] = to_text(printable(value));
      (*function_)(levels[static_cast<std::size_t>(event.level)], event.name, fields);
    });
  }

 private:
  anywhere function_;
};

// One of the library's transactions, driven by Python. It wants slices that only a body_reader
// makes, so the body is read, and verified, once more.
class open_transaction {
 public:
  open_transaction(std::unique_ptr<delivery::transaction> inner, const header_block& header)
      : inner_(std::move(inner)), reader_(header) {}
  open_transaction(const open_transaction&) = delete;
  open_transaction& operator=(const open_transaction&) = delete;
  ~open_transaction() {
    without_gil([this] { inner_.reset(); });
  }

  delivery::header_answer judge() {
    return without_gil([&] { return inner_->judge(); });
  }
  void body(const part_event& piece) {
    const auto held = piece.data.cast<octets_in>();
    take(without_gil([&] { return write(held.view()); }));
  }
  py::str finish(const py::object& sink) {
    python_sink out(sink);
    const auto answer = without_gil([&] { return inner_->finish(out); });
    if (out.thrown) throw py::error_already_set(*out.thrown);
    return answer.drop ? py::str("DROP") : py::str(py::cast(answer.what));
  }

 private:
  struct python_sink : delivery::reply_sink {
    explicit python_sink(const py::object& s) : sink(s) {}
    void result(const delivery::recipient_result& r) override {
      give([&] { sink.attr("result")(r); });
    }
    void note(std::string_view text) override {
      give([&] { sink.attr("note")(to_text(text)); });
    }
    // The first exception is raised when the library has finished.
    template <class F>
    void give(F&& work) {
      const with_gil gil;
      try {
        work();
      } catch (py::error_already_set& raised) {
        if (!thrown) thrown.emplace(std::move(raised));
      }
    }
    const py::object& sink;
    std::optional<py::error_already_set> thrown;
  };

  result<void> write(octets piece) {
    for (;;) {
      auto slice = reader_.next(piece);
      if (!slice) return std::move(slice).error();
      if (!*slice) return {};
      if (auto good = inner_->body(**slice); !good) return good;
    }
  }

  std::unique_ptr<delivery::transaction> inner_;
  body_reader reader_;
};

}  // namespace

handler_in::handler_in(const py::object& given) {
  if (py::isinstance<delivery::handler>(given))
    handler_ = given.cast<std::shared_ptr<delivery::handler>>();
  else if (py::isinstance<py::type>(given))
    throw py::type_error("a handler is wanted, not its class");
  else if (is_python_ = py::hasattr(given, "open"); is_python_)
    handler_ = std::make_shared<python_handler>(given);
  else
    throw py::type_error("a handler has a method open(header, peer)");
}

std::unique_ptr<log_sink> log_from(const py::object& function) {
  if (function.is_none()) return nullptr;
  return std::make_unique<python_log>(function);
}

void add_handlers(py::module_& m) {
  py::class_<sink_view, std::shared_ptr<sink_view>>(
      m, "ReplySink", "Where a transaction puts results as they come, during its finish().")
      .def(
          "result",
          [](const sink_view& s, const delivery::recipient_result& r) { s.live().result(r); },
          "result"_a, "A recipient's result; one who is not of the message becomes a note.")
      .def(
          "note", [](const sink_view& s, std::string_view text) { s.live().note(text); }, "text"_a,
          "A remark for the sender's people.");
  py::class_<open_transaction>(m, "OpenTransaction", "One offered message, at a handler.")
      .def("judge", &open_transaction::judge, "Judges the header block; returns a HeaderAnswer.")
      .def("body", &open_transaction::body, "piece"_a, "Takes the body, as ima.PartReceived.")
      .def("finish", &open_transaction::finish, "sink"_a,
           "The body is complete; durable when it returns OK.");
  py::class_<delivery::handler, std::shared_ptr<delivery::handler>>(
      m, "Handler", "A handler of the library, as ima.service makes them.")
      .def(
          "open",
          [](delivery::handler& h, const header_block& header, const delivery::peer_info& peer) {
            auto inner = without_gil([&] { return h.open(header, peer); });
            return std::make_unique<open_transaction>(std::move(inner), header);
          },
          "header"_a, "peer"_a, "Opens a transaction for a header block.");
}

}  // namespace ima::python
