/* See snn_uart.h. */
#include "snn_uart.h"

#include "snn.h"

#define LINE 128

static snn_state state;
static snn_work work;
static snn_output output[SNN_OUTPUTS];
static uint8_t bytes[SNN_UART_BYTES];
static uint32_t expected;
static uint32_t loaded;
static int32_t left_out;

static void (*send)(char letter);

static void say(const char *text)
{
    while (*text != '\0') {
        send(*text);
        text++;
    }
}

static void say_unsigned(uint64_t number)
{
    if (number > 9U) {
        say_unsigned(number / 10U);
    }
    send((char)('0' + (int)(number % 10U)));
}

static void say_signed(int64_t number)
{
    if (number < 0) {
        send('-');
        say_unsigned((uint64_t)0 - (uint64_t)number);
    } else {
        say_unsigned((uint64_t)number);
    }
}

static void say_counted(const char *before, uint64_t number, const char *after)
{
    say(before);
    say_unsigned(number);
    say(after);
}

/* Gives what follows if a line begins with some words, else nothing. */
static const char *after(const char *line, const char *words)
{
    while (*words != '\0') {
        if (*line != *words) {
            return 0;
        }
        line++;
        words++;
    }
    return line;
}

static const char *number_in(const char *text, uint32_t *number)
{
    *number = 0;
    while (*text == ' ') {
        text++;
    }
    while ((*text >= '0') && (*text <= '9') && (*number < 100000000U)) {
        *number = *number * 10U + (uint32_t)(*text - '0');
        text++;
    }
    return text;
}

static int32_t digit(char letter)
{
    if ((letter >= '0') && (letter <= '9')) {
        return letter - '0';
    }
    if ((letter >= 'a') && (letter <= 'f')) {
        return letter - 'a' + 10;
    }
    return ((letter >= 'A') && (letter <= 'F')) ? (letter - 'A' + 10) : -1;
}

static void make_room(const char *text)
{
    uint32_t wanted;
    (void)number_in(text, &wanted);
    expected = 0;
    loaded = 0;
    if ((wanted == 0U) || (wanted > (uint32_t)SNN_UART_BYTES)) {
        say_counted("e-[the buffer holds 1 to ", (uint64_t)SNN_UART_BYTES, " bytes]\n");
    } else if ((wanted % (uint32_t)(sizeof(snn_input) * SNN_INPUTS)) != 0U) {
        say_counted("e-[a step has ", (uint64_t)(sizeof(snn_input) * SNN_INPUTS), " bytes]\n");
    } else {
        expected = wanted;
        say_counted("m-[Expecting ", expected, " bytes]\n");
    }
}

static void take_in(const char *text)
{
    while ((digit(text[0]) >= 0) && (digit(text[1]) >= 0) && (loaded < expected)) {
        bytes[loaded] = (uint8_t)(digit(text[0]) * 16 + digit(text[1]));
        loaded++;
        text += 2;
    }
    if (*text != '\0') {
        expected = 0;
        loaded = 0;
        say("e-[no bytes in hexadecimal, or too many; begin with db load]\n");
    } else if (loaded == expected) {
        say("m-load-done\n");
    }
}

static snn_input input_at(uint32_t place)
{
    uint32_t word = 0;
    for (uint32_t i = 0; i < (uint32_t)sizeof(snn_input); i++) {
        word |= (uint32_t)bytes[place + i] << (8U * i);
    }
    return (snn_input)word;
}

static void run_once(void)
{
    uint32_t place = 0;
    left_out = 0;
    snn_reset(&state);
    while (place < loaded) {
        snn_input input[SNN_INPUTS];
        for (int32_t h = 0; h < SNN_INPUTS; h++) {
            int64_t x = input_at(place);
            x = (x > SNN_INPUT_LIMIT) ? SNN_INPUT_LIMIT : x;
            input[h] = (snn_input)((x < SNN_INPUT_LEAST) ? SNN_INPUT_LEAST : x);
            place += (uint32_t)sizeof(snn_input);
        }
        left_out += snn_step(&state, &work, input);
    }
    snn_finish(&state, &work, output);
}

static void infer(const char *text)
{
    uint32_t runs;
    uint32_t before;
    text = number_in(text, &runs);
    (void)number_in(text, &before);
    if ((loaded == 0U) || (loaded != expected)) {
        say("e-[no inputs: db load N, then db HEX]\n");
        return;
    }
    say_counted("m-warmup-start-", before, "\n");
    for (uint32_t i = 0; i < before; i++) {
        run_once();
    }
    say("m-warmup-done\n");
    runs = (runs == 0U) ? 1U : runs;
    say_counted("m-infer-start-", runs, "\n");
    for (uint32_t i = 0; i < runs; i++) {
        run_once();
    }
    if (left_out != 0) {
        say_counted("e-[no room for ", (uint64_t)left_out, " of the steps: see SNN_MOST_STEPS]\n");
    }
    say("m-infer-done\n");
}

static void tell_results(void)
{
    say("m-results-[");
    for (int32_t h = 0; h < SNN_OUTPUTS; h++) {
        if (h > 0) {
            send(',');
        }
        say_signed((int64_t)output[h]);
    }
    say("]\n");
}

static void obey(const char *line, uint32_t (*now)(void))
{
    const char *rest;
    if (after(line, "name") != 0) {
        say("m-name-dut-[snn]\n");
    } else if (after(line, "profile") != 0) {
        say("m-profile-[spiking network in integers]\nm-model-[" SNN_SHA256 "]\n");
    } else if (after(line, "timestamp") != 0) {
        say_counted("m-lap-us-", now(), "\n");
    } else if ((rest = after(line, "db load ")) != 0) {
        make_room(rest);
    } else if ((rest = after(line, "db ")) != 0) {
        take_in(rest);
    } else if ((rest = after(line, "infer")) != 0) {
        infer(rest);
    } else if (after(line, "results") != 0) {
        tell_results();
    } else {
        say("e-[unknown command; there are: name profile timestamp db infer results]\n");
    }
    say("m-ready\n");
}

void snn_uart_run(int (*get)(void), void (*put)(char letter), uint32_t (*now)(void))
{
    char line[LINE];
    uint32_t length = 0;
    int letter;
    send = put;
    snn_init(&state, &work);
    say("m-init-done\nm-ready\n");
    while ((letter = get()) >= 0) {
        if (letter == '%') {
            line[(length < (uint32_t)LINE) ? length : 0U] = '\0';
            if (length >= (uint32_t)LINE) {
                say_counted("e-[a command has at most ", (uint64_t)(LINE - 1), " letters]\nm-ready\n");
            } else {
                obey(line, now);
            }
            length = 0;
        } else if ((letter != '\n') && (letter != '\r')) {
            if (length < (uint32_t)LINE) {
                line[length] = (char)letter;
                length++;
            }
        }
    }
}
