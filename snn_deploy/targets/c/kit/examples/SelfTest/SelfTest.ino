// Says whether the network computes on this board what it should, by its light and on the serial
// line, which it serves then.
#include <snn.h>

extern "C" {
#include <snn_uart.h>
int32_t snn_selftest(void);
}

static int get() {
  while (Serial.available() == 0) {
  }
  return Serial.read();
}

static void put(char letter) { Serial.write(letter); }

static uint32_t now() { return micros(); }

void setup() {
  const bool passed = snn_selftest() == 0;
#ifdef LED_BUILTIN
  pinMode(LED_BUILTIN, OUTPUT);
  digitalWrite(LED_BUILTIN, passed ? HIGH : LOW);
#endif
  Serial.begin(115200);
  while (!Serial) {
  }
  Serial.println(passed ? "self-test passed" : "self-test FAILED");
}

void loop() { snn_uart_run(get, put, now); }
