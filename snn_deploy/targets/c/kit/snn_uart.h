/* A runner for a serial line, in the manner of MLPerf Tiny's: commands end with '%', answers begin
 * with "m-", and "m-ready" says that the next command may come.
 *
 *     name%            what runs here
 *     profile%         the deployment, by its SHA-256
 *     timestamp%       microseconds
 *     db load N%       makes room for N bytes of inputs, snn_input after snn_input, low bytes first
 *     db HEX%          takes some of them in
 *     infer N W%       runs the sequence W times to warm up, then N times
 *     results%         the outputs, as mantissas
 */
#ifndef SNN_UART_H
#define SNN_UART_H

#include <stdint.h>

/* Room for a sequence's inputs. */
#ifndef SNN_UART_BYTES
#define SNN_UART_BYTES 8192
#endif

/* Serves until ``get`` gives a negative number. ``get`` waits for a letter, ``now`` gives
 * microseconds. */
void snn_uart_run(int (*get)(void), void (*put)(char letter), uint32_t (*now)(void));

#endif
