/* Ends with 0 where the network computes here what it should; with an argument it serves standard
 * input and output as a serial line. */
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "snn_uart.h"

int32_t snn_selftest(void);

static void put(char letter)
{
    (void)putchar(letter);
    if (letter == '\n') {
        (void)fflush(stdout);
    }
}

static uint32_t now(void)
{
    return (uint32_t)((uint64_t)clock() * 1000000U / (uint64_t)CLOCKS_PER_SEC);
}

int main(int count, char *arguments[])
{
    (void)arguments;
    if (count > 1) {
        snn_uart_run(getchar, put, now);
        return 0;
    }
    return snn_selftest() == 0 ? 0 : 1;
}
