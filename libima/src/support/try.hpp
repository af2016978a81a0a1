#pragma once

// The one way errors travel up: IMA_TRY(name, expression) names the value or returns the error;
// IMA_CHECK(expression) does the same where there is no value.
#define IMA_TRY(name, ...)                                     \
  auto name##_result = (__VA_ARGS__);                          \
  if (!name##_result) return std::move(name##_result).error(); \
  auto& name = *name##_result

#define IMA_CHECK(...)                                                                            \
  do {                                                                                            \
    if (auto check_result = (__VA_ARGS__); !check_result) return std::move(check_result).error(); \
  } while (false)

// IMA_CHECK for coroutines.
#define IMA_CO_CHECK(...)                                 \
  do {                                                    \
    if (auto check_result = (__VA_ARGS__); !check_result) \
      co_return std::move(check_result).error();          \
  } while (false)
