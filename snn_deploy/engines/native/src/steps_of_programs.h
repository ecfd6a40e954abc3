// Made by tests/make_compiled.py: steps of neurons' programs, see compiled.h.
// clang-format off
SNN_STEP(0, "287f234c042f4cb3", 3, 1, 5, 0) {  // Accumulator
  const Doubles t0 = where(l.ports[2], l.ports[0], l.words[0]);
  const Doubles t1 = rounded_product(t0, l.number(0), l.number(1));
  const Doubles t2 = where(l.ports[1], t1, l.number(2));
  const Doubles t3 = l.saturate(t2, l.number(3), l.number(4), l.ports[1]);
  const Doubles t4 = where(l.ports[1], t3, Doubles{});
  const Doubles n0 = t0;
  const Doubles n1 = t4;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(1, "a4c399207a61dddd", 2, 1, 5, 0) {  // Accumulator
  const Doubles t0 = l.words[0] + l.ports[0];
  const Doubles t1 = rounded_product(t0, l.number(0), l.number(1));
  const Doubles t2 = where(l.ports[1], t1, l.number(2));
  const Doubles t3 = l.saturate(t2, l.number(3), l.number(4), l.ports[1]);
  const Doubles t4 = where(l.ports[1], t3, Doubles{});
  const Doubles n0 = t0;
  const Doubles n1 = t4;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(2, "c161da1a27f8712e", 2, 1, 5, 0) {  // Accumulator
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = where(l.ports[1], t0, l.number(2));
  const Doubles t2 = l.saturate(t1, l.number(3), l.number(4), l.ports[1]);
  const Doubles t3 = where(l.ports[1], t2, Doubles{});
  const Doubles n0 = l.ports[0];
  const Doubles n1 = t3;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(3, "9ffffe174f526ff1", 1, 3, 15, 0) {  // AdaptationSoma
  const Doubles t0 = rounded_product(l.words[1], l.number(0), l.number(1));
  const Doubles t1 = l.words[1] - t0;
  const Doubles t2 = rounded_product(l.ports[0], l.number(2), l.number(3));
  const Doubles t3 = rounded_product(l.words[0], l.number(4), l.number(5));
  const Doubles t4 = l.words[0] - t3;
  const Doubles t5 = rounded_product(l.words[1], l.number(6), l.number(7));
  const Doubles t6 = t4 + t5;
  const Doubles t7 = where(l.words[2], l.number(8), l.number(9));
  const Doubles t8 = t6 + t7;
  const Doubles t9 = l.saturate(t8, l.number(10), l.number(11));
  const Doubles t10 = t2 - t9;
  const Doubles t11 = rounded_product(t10, l.number(0), l.number(1));
  const Doubles t12 = t1 + t11;
  const Doubles t13 = where(l.words[2], l.number(12), l.number(13));
  const Doubles t14 = t12 - t13;
  const Doubles t15 = l.saturate(t14, l.number(10), l.number(11));
  const Doubles t16 = flag(t15 > l.number(14));
  const Doubles n0 = t9;
  const Doubles n1 = t15;
  const Doubles n2 = t16;
  const Doubles n3 = t16;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(4, "33ef01c275820880", 1, 3, 18, 0) {  // AdaptationSoma
  const Doubles t0 = wide_product(l.words[1], l.number(0), l.number(1), l.number(2));
  const Doubles t1 = l.words[1] - t0;
  const Doubles t2 = rounded_product(l.ports[0], l.number(3), l.number(4));
  const Doubles t3 = wide_product(l.words[0], l.number(5), l.number(6), l.number(7));
  const Doubles t4 = l.words[0] - t3;
  const Doubles t5 = wide_product(l.words[1], l.number(8), l.number(9), l.number(10));
  const Doubles t6 = t4 + t5;
  const Doubles t7 = where(l.words[2], l.number(11), l.number(12));
  const Doubles t8 = t6 + t7;
  const Doubles t9 = l.saturate(t8, l.number(13), l.number(14));
  const Doubles t10 = t2 - t9;
  const Doubles t11 = wide_product(t10, l.number(0), l.number(1), l.number(2));
  const Doubles t12 = t1 + t11;
  const Doubles t13 = where(l.words[2], l.number(15), l.number(16));
  const Doubles t14 = t12 - t13;
  const Doubles t15 = l.saturate(t14, l.number(13), l.number(14));
  const Doubles t16 = flag(t15 > l.number(17));
  const Doubles n0 = t9;
  const Doubles n1 = t15;
  const Doubles n2 = t16;
  const Doubles n3 = t16;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(5, "b3e9e857758e6551", 1, 4, 13, 0) {  // ChipAlif
  const Doubles t0 = truncate(l.words[1] * l.number(0));
  const Doubles t1 = truncate(l.words[0] * l.number(1));
  const Doubles t2 = l.ports[0] * l.number(2);
  const Doubles t3 = t1 + t2;
  const Doubles t4 = l.saturate(t3, l.number(3), l.number(4));
  const Doubles t5 = t0 + t4;
  const Doubles t6 = l.saturate(t5, l.number(3), l.number(4));
  const Doubles t7 = truncate(l.words[2] * l.number(5));
  const Doubles t8 = t7 + l.number(6);
  const Doubles t9 = truncate(l.words[3] * l.number(7));
  const Doubles t10 = t8 + t9;
  const Doubles t11 = t10 - l.number(8);
  const Doubles t12 = flag(t6 > t11);
  const Doubles t13 = where(t12, l.number(9), l.number(10));
  const Doubles t14 = t7 + t13;
  const Doubles t15 = l.saturate(t14, l.number(3), l.number(4));
  const Doubles t16 = t8 * l.number(11);
  const Doubles t17 = where(t12, t16, l.number(12));
  const Doubles t18 = t9 + t17;
  const Doubles t19 = l.saturate(t18, l.number(3), l.number(4));
  const Doubles n0 = t4;
  const Doubles n1 = t6;
  const Doubles n2 = t15;
  const Doubles n3 = t19;
  const Doubles n4 = t12;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  l.words[3] = n3;
  return n4;
}
SNN_STEP(6, "d1c7c692ee98112f", 1, 4, 14, 0) {  // ChipAlif
  const Doubles t0 = truncate(l.words[1] * l.number(0));
  const Doubles t1 = truncate(l.words[0] * l.number(1));
  const Doubles t2 = l.ports[0] * l.number(2);
  const Doubles t3 = t2 + l.number(3);
  const Doubles t4 = t1 + t3;
  const Doubles t5 = l.saturate(t4, l.number(4), l.number(5));
  const Doubles t6 = t0 + t5;
  const Doubles t7 = l.saturate(t6, l.number(4), l.number(5));
  const Doubles t8 = truncate(l.words[2] * l.number(6));
  const Doubles t9 = t8 + l.number(7);
  const Doubles t10 = truncate(l.words[3] * l.number(8));
  const Doubles t11 = t9 + t10;
  const Doubles t12 = t11 - l.number(9);
  const Doubles t13 = flag(t7 > t12);
  const Doubles t14 = where(t13, l.number(10), l.number(11));
  const Doubles t15 = t8 + t14;
  const Doubles t16 = l.saturate(t15, l.number(4), l.number(5));
  const Doubles t17 = t9 * l.number(12);
  const Doubles t18 = where(t13, t17, l.number(13));
  const Doubles t19 = t10 + t18;
  const Doubles t20 = l.saturate(t19, l.number(4), l.number(5));
  const Doubles n0 = t5;
  const Doubles n1 = t7;
  const Doubles n2 = t16;
  const Doubles n3 = t20;
  const Doubles n4 = t13;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  l.words[3] = n3;
  return n4;
}
SNN_STEP(7, "8ec5342d162931e2", 1, 2, 7, 0) {  // ChipCuba
  const Doubles t0 = truncate(l.words[1] * l.number(0));
  const Doubles t1 = truncate(l.words[0] * l.number(1));
  const Doubles t2 = l.ports[0] * l.number(2);
  const Doubles t3 = t1 + t2;
  const Doubles t4 = l.saturate(t3, l.number(3), l.number(4));
  const Doubles t5 = t0 + t4;
  const Doubles t6 = l.saturate(t5, l.number(3), l.number(4));
  const Doubles t7 = flag(t6 > l.number(5));
  const Doubles t8 = where(t7, l.number(6), t6);
  const Doubles n0 = t4;
  const Doubles n1 = t8;
  const Doubles n2 = t7;
  l.words[0] = n0;
  l.words[1] = n1;
  return n2;
}
SNN_STEP(8, "f4387b5b4eb22799", 1, 2, 8, 0) {  // ChipCuba
  const Doubles t0 = truncate(l.words[1] * l.number(0));
  const Doubles t1 = truncate(l.words[0] * l.number(1));
  const Doubles t2 = l.ports[0] * l.number(2);
  const Doubles t3 = t1 + t2;
  const Doubles t4 = l.saturate(t3, l.number(3), l.number(4));
  const Doubles t5 = t0 + t4;
  const Doubles t6 = t5 + l.number(5);
  const Doubles t7 = l.saturate(t6, l.number(3), l.number(4));
  const Doubles t8 = flag(t7 > l.number(6));
  const Doubles t9 = where(t8, l.number(7), t7);
  const Doubles n0 = t4;
  const Doubles n1 = t9;
  const Doubles n2 = t8;
  l.words[0] = n0;
  l.words[1] = n1;
  return n2;
}
SNN_STEP(9, "4cf0dbaa4d75cca3", 1, 1, 6, 0) {  // ChipLif
  const Doubles t0 = truncate(l.words[0] * l.number(0));
  const Doubles t1 = l.ports[0] * l.number(1);
  const Doubles t2 = t0 + t1;
  const Doubles t3 = l.saturate(t2, l.number(2), l.number(3));
  const Doubles t4 = flag(t3 > l.number(4));
  const Doubles t5 = where(t4, l.number(5), t3);
  const Doubles n0 = t5;
  const Doubles n1 = t4;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(10, "ce222ee03795c2fb", 2, 2, 11, 0) {  // ChipResonator
  const Doubles t0 = truncate(l.words[0] * l.number(0));
  const Doubles t1 = truncate(l.words[1] * l.number(1));
  const Doubles t2 = t0 - t1;
  const Doubles t3 = l.ports[0] * l.number(2);
  const Doubles t4 = t2 + t3;
  const Doubles t5 = l.saturate(t4, l.number(3), l.number(4));
  const Doubles t6 = flag(t5 > l.number(5));
  const Doubles t7 = truncate(l.words[0] * l.number(6));
  const Doubles t8 = truncate(l.words[1] * l.number(7));
  const Doubles t9 = t7 + t8;
  const Doubles t10 = l.ports[1] * l.number(8);
  const Doubles t11 = t9 + t10;
  const Doubles t12 = l.saturate(t11, l.number(3), l.number(4));
  const Doubles t13 = flag(t12 > l.number(9));
  const Doubles t14 = to_doubles(to_integers(t6) & to_integers(t13));
  const Doubles t15 = flag(l.number(10) > l.words[1]);
  const Doubles t16 = to_doubles(to_integers(t14) & to_integers(t15));
  const Doubles n0 = t5;
  const Doubles n1 = t12;
  const Doubles n2 = t16;
  l.words[0] = n0;
  l.words[1] = n1;
  return n2;
}
SNN_STEP(11, "328fd1adaf52435d", 2, 2, 11, 0) {  // ChipResonator
  const Doubles t0 = truncate(l.words[0] * l.number(0));
  const Doubles t1 = truncate(l.words[1] * l.number(1));
  const Doubles t2 = t0 + t1;
  const Doubles t3 = l.ports[1] * l.number(2);
  const Doubles t4 = t2 + t3;
  const Doubles t5 = l.saturate(t4, l.number(3), l.number(4));
  const Doubles t6 = flag(t5 > l.number(5));
  const Doubles t7 = truncate(l.words[0] * l.number(6));
  const Doubles t8 = truncate(l.words[1] * l.number(7));
  const Doubles t9 = t7 - t8;
  const Doubles t10 = l.ports[0] * l.number(8);
  const Doubles t11 = t9 + t10;
  const Doubles t12 = l.saturate(t11, l.number(3), l.number(4));
  const Doubles t13 = where(t6, l.number(9), t12);
  const Doubles t14 = where(t6, l.number(10), t5);
  const Doubles n0 = t13;
  const Doubles n1 = t14;
  const Doubles n2 = t6;
  l.words[0] = n0;
  l.words[1] = n1;
  return n2;
}
SNN_STEP(12, "6b0fa7a90684f4db", 1, 1, 14, 0) {  // CrossingSoma
  const Doubles t0 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(0)));
  const Doubles t1 = where(t0, l.number(1), l.number(2));
  const Doubles t2 = l.number(3) + t1;
  const Doubles t3 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(4)));
  const Doubles t4 = where(t3, l.number(5), l.number(6));
  const Doubles t5 = t2 + t4;
  const Doubles t6 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(7)));
  const Doubles t7 = where(t6, l.number(8), l.number(9));
  const Doubles t8 = t5 + t7;
  const Doubles t9 = t8 - l.number(10);
  const Doubles t10 = flag(l.ports[0] > t9);
  const Doubles t11 = l.words[0] * l.number(11);
  const Doubles t12 = to_doubles(to_integers(t11) & to_integers(l.number(12)));
  const Doubles t13 = flag(l.ports[0] > l.number(13));
  const Doubles t14 = to_doubles(to_integers(t12) | to_integers(t13));
  const Doubles n0 = t14;
  const Doubles n1 = t10;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(13, "e602bc18c88a12ab", 1, 1, 17, 0) {  // CrossingSoma
  const Doubles t0 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(0)));
  const Doubles t1 = where(t0, l.number(1), l.number(2));
  const Doubles t2 = l.number(3) + t1;
  const Doubles t3 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(4)));
  const Doubles t4 = where(t3, l.number(5), l.number(6));
  const Doubles t5 = t2 + t4;
  const Doubles t6 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(7)));
  const Doubles t7 = where(t6, l.number(8), l.number(9));
  const Doubles t8 = t5 + t7;
  const Doubles t9 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(10)));
  const Doubles t10 = where(t9, l.number(11), l.number(12));
  const Doubles t11 = t8 + t10;
  const Doubles t12 = t11 - l.number(13);
  const Doubles t13 = flag(l.ports[0] > t12);
  const Doubles t14 = l.words[0] * l.number(14);
  const Doubles t15 = to_doubles(to_integers(t14) & to_integers(l.number(15)));
  const Doubles t16 = flag(l.ports[0] > l.number(16));
  const Doubles t17 = to_doubles(to_integers(t15) | to_integers(t16));
  const Doubles n0 = t17;
  const Doubles n1 = t13;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(14, "3580517a2cd5ac94", 1, 1, 8, 0) {  // CrossingSoma
  const Doubles t0 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(0)));
  const Doubles t1 = where(t0, l.number(1), l.number(2));
  const Doubles t2 = l.number(3) + t1;
  const Doubles t3 = t2 - l.number(4);
  const Doubles t4 = flag(l.ports[0] > t3);
  const Doubles t5 = l.words[0] * l.number(5);
  const Doubles t6 = to_doubles(to_integers(t5) & to_integers(l.number(6)));
  const Doubles t7 = flag(l.ports[0] > l.number(7));
  const Doubles t8 = to_doubles(to_integers(t6) | to_integers(t7));
  const Doubles n0 = t8;
  const Doubles n1 = t4;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(15, "fbc34da591caaaf3", 1, 1, 20, 0) {  // CrossingSoma
  const Doubles t0 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(0)));
  const Doubles t1 = where(t0, l.number(1), l.number(2));
  const Doubles t2 = l.number(3) + t1;
  const Doubles t3 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(4)));
  const Doubles t4 = where(t3, l.number(5), l.number(6));
  const Doubles t5 = t2 + t4;
  const Doubles t6 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(7)));
  const Doubles t7 = where(t6, l.number(8), l.number(9));
  const Doubles t8 = t5 + t7;
  const Doubles t9 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(10)));
  const Doubles t10 = where(t9, l.number(11), l.number(12));
  const Doubles t11 = t8 + t10;
  const Doubles t12 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(13)));
  const Doubles t13 = where(t12, l.number(14), l.number(15));
  const Doubles t14 = t11 + t13;
  const Doubles t15 = t14 - l.number(16);
  const Doubles t16 = flag(l.ports[0] > t15);
  const Doubles t17 = l.words[0] * l.number(17);
  const Doubles t18 = to_doubles(to_integers(t17) & to_integers(l.number(18)));
  const Doubles t19 = flag(l.ports[0] > l.number(19));
  const Doubles t20 = to_doubles(to_integers(t18) | to_integers(t19));
  const Doubles n0 = t20;
  const Doubles n1 = t16;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(16, "a893ca20deeaa324", 1, 1, 11, 0) {  // CrossingSoma
  const Doubles t0 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(0)));
  const Doubles t1 = where(t0, l.number(1), l.number(2));
  const Doubles t2 = l.number(3) + t1;
  const Doubles t3 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(4)));
  const Doubles t4 = where(t3, l.number(5), l.number(6));
  const Doubles t5 = t2 + t4;
  const Doubles t6 = t5 - l.number(7);
  const Doubles t7 = flag(l.ports[0] > t6);
  const Doubles t8 = l.words[0] * l.number(8);
  const Doubles t9 = to_doubles(to_integers(t8) & to_integers(l.number(9)));
  const Doubles t10 = flag(l.ports[0] > l.number(10));
  const Doubles t11 = to_doubles(to_integers(t9) | to_integers(t10));
  const Doubles n0 = t11;
  const Doubles n1 = t7;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(17, "eb6a5924fc75c88e", 1, 1, 11, 0) {  // CubaSoma
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = rounded_product(t0, l.number(2), l.number(3));
  const Doubles t2 = l.words[0] + t1;
  const Doubles t3 = l.saturate(t2, l.number(4), l.number(5));
  const Doubles t4 = flag(t3 > l.number(6));
  const Doubles t5 = rounded_product(t3, l.number(7), l.number(8));
  const Doubles t6 = t3 - t5;
  const Doubles t7 = where(t4, l.number(9), l.number(10));
  const Doubles t8 = t6 - t7;
  const Doubles t9 = l.saturate(t8, l.number(4), l.number(5));
  const Doubles n0 = t9;
  const Doubles n1 = t4;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(18, "c85133555a382431", 1, 1, 13, 0) {  // CubaSoma
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = wide_product(t0, l.number(2), l.number(3), l.number(4));
  const Doubles t2 = l.words[0] + t1;
  const Doubles t3 = l.saturate(t2, l.number(5), l.number(6));
  const Doubles t4 = flag(t3 > l.number(7));
  const Doubles t5 = wide_product(t3, l.number(8), l.number(9), l.number(10));
  const Doubles t6 = t3 - t5;
  const Doubles t7 = where(t4, l.number(11), l.number(12));
  const Doubles t8 = t6 - t7;
  const Doubles t9 = l.saturate(t8, l.number(5), l.number(6));
  const Doubles n0 = t9;
  const Doubles n1 = t4;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(19, "5def929d1a5a723a", 1, 2, 12, 0) {  // CubaSoma
  const Doubles t0 = rounded_product(l.words[0], l.number(0), l.number(1));
  const Doubles t1 = l.words[0] - t0;
  const Doubles t2 = rounded_product(l.ports[0], l.number(2), l.number(3));
  const Doubles t3 = rounded_product(t2, l.number(4), l.number(5));
  const Doubles t4 = t1 + t3;
  const Doubles t5 = l.saturate(t4, l.number(6), l.number(7));
  const Doubles t6 = l.words[1] + t5;
  const Doubles t7 = l.saturate(t6, l.number(6), l.number(7));
  const Doubles t8 = flag(t7 > l.number(8));
  const Doubles t9 = rounded_product(t7, l.number(9), l.number(10));
  const Doubles t10 = t7 - t9;
  const Doubles t11 = where(t8, l.number(11), t10);
  const Doubles t12 = l.saturate(t11, l.number(6), l.number(7));
  const Doubles n0 = t5;
  const Doubles n1 = t12;
  const Doubles n2 = t8;
  l.words[0] = n0;
  l.words[1] = n1;
  return n2;
}
SNN_STEP(20, "c374e8981a14c78d", 1, 2, 15, 0) {  // CubaSoma
  const Doubles t0 = wide_product(l.words[0], l.number(0), l.number(1), l.number(2));
  const Doubles t1 = l.words[0] - t0;
  const Doubles t2 = rounded_product(l.ports[0], l.number(3), l.number(4));
  const Doubles t3 = wide_product(t2, l.number(5), l.number(6), l.number(7));
  const Doubles t4 = t1 + t3;
  const Doubles t5 = l.saturate(t4, l.number(8), l.number(9));
  const Doubles t6 = l.words[1] + t5;
  const Doubles t7 = l.saturate(t6, l.number(8), l.number(9));
  const Doubles t8 = flag(t7 > l.number(10));
  const Doubles t9 = wide_product(t7, l.number(11), l.number(12), l.number(13));
  const Doubles t10 = t7 - t9;
  const Doubles t11 = where(t8, l.number(14), t10);
  const Doubles t12 = l.saturate(t11, l.number(8), l.number(9));
  const Doubles n0 = t5;
  const Doubles n1 = t12;
  const Doubles n2 = t8;
  l.words[0] = n0;
  l.words[1] = n1;
  return n2;
}
SNN_STEP(21, "9c95912636e28e5f", 1, 1, 10, 0) {  // CubaSoma
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = rounded_product(t0, l.number(2), l.number(3));
  const Doubles t2 = l.words[0] + t1;
  const Doubles t3 = l.saturate(t2, l.number(4), l.number(5));
  const Doubles t4 = flag(t3 > l.number(6));
  const Doubles t5 = rounded_product(t3, l.number(7), l.number(8));
  const Doubles t6 = t3 - t5;
  const Doubles t7 = where(t4, l.number(9), t6);
  const Doubles t8 = l.saturate(t7, l.number(4), l.number(5));
  const Doubles n0 = t8;
  const Doubles n1 = t4;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(22, "6c1fc407a538b489", 1, 1, 12, 0) {  // CubaSoma
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = wide_product(t0, l.number(2), l.number(3), l.number(4));
  const Doubles t2 = l.words[0] + t1;
  const Doubles t3 = l.saturate(t2, l.number(5), l.number(6));
  const Doubles t4 = flag(t3 > l.number(7));
  const Doubles t5 = wide_product(t3, l.number(8), l.number(9), l.number(10));
  const Doubles t6 = t3 - t5;
  const Doubles t7 = where(t4, l.number(11), t6);
  const Doubles t8 = l.saturate(t7, l.number(5), l.number(6));
  const Doubles n0 = t8;
  const Doubles n1 = t4;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(23, "2794af67994add0a", 1, 2, 13, 0) {  // CubaSoma
  const Doubles t0 = rounded_product(l.words[0], l.number(0), l.number(1));
  const Doubles t1 = l.words[0] - t0;
  const Doubles t2 = rounded_product(l.ports[0], l.number(2), l.number(3));
  const Doubles t3 = rounded_product(t2, l.number(4), l.number(5));
  const Doubles t4 = t1 + t3;
  const Doubles t5 = l.saturate(t4, l.number(6), l.number(7));
  const Doubles t6 = l.words[1] + t5;
  const Doubles t7 = l.saturate(t6, l.number(6), l.number(7));
  const Doubles t8 = flag(t7 > l.number(8));
  const Doubles t9 = rounded_product(t7, l.number(9), l.number(10));
  const Doubles t10 = t7 - t9;
  const Doubles t11 = where(t8, l.number(11), l.number(12));
  const Doubles t12 = t10 - t11;
  const Doubles t13 = l.saturate(t12, l.number(6), l.number(7));
  const Doubles n0 = t5;
  const Doubles n1 = t13;
  const Doubles n2 = t8;
  l.words[0] = n0;
  l.words[1] = n1;
  return n2;
}
SNN_STEP(24, "cd7c731c711cb055", 1, 2, 16, 0) {  // CubaSoma
  const Doubles t0 = wide_product(l.words[0], l.number(0), l.number(1), l.number(2));
  const Doubles t1 = l.words[0] - t0;
  const Doubles t2 = rounded_product(l.ports[0], l.number(3), l.number(4));
  const Doubles t3 = wide_product(t2, l.number(5), l.number(6), l.number(7));
  const Doubles t4 = t1 + t3;
  const Doubles t5 = l.saturate(t4, l.number(8), l.number(9));
  const Doubles t6 = l.words[1] + t5;
  const Doubles t7 = l.saturate(t6, l.number(8), l.number(9));
  const Doubles t8 = flag(t7 > l.number(10));
  const Doubles t9 = wide_product(t7, l.number(11), l.number(12), l.number(13));
  const Doubles t10 = t7 - t9;
  const Doubles t11 = where(t8, l.number(14), l.number(15));
  const Doubles t12 = t10 - t11;
  const Doubles t13 = l.saturate(t12, l.number(8), l.number(9));
  const Doubles n0 = t5;
  const Doubles n1 = t13;
  const Doubles n2 = t8;
  l.words[0] = n0;
  l.words[1] = n1;
  return n2;
}
SNN_STEP(25, "4747eafb33dc662c", 1, 1, 6, 0) {  // DrawnSoma
  const Doubles t0 = to_doubles(to_integers(l.words[0]) & to_integers(l.number(0)));
  const Doubles t1 = t0 * l.number(1);
  const Doubles t2 = to_doubles(to_integers(l.words[0]) ^ to_integers(t1));
  const Doubles t3 = truncate(t2 * l.number(2));
  const Doubles t4 = to_doubles(to_integers(t2) ^ to_integers(t3));
  const Doubles t5 = to_doubles(to_integers(t4) & to_integers(l.number(3)));
  const Doubles t6 = t5 * l.number(4);
  const Doubles t7 = to_doubles(to_integers(t4) ^ to_integers(t6));
  const Doubles t8 = truncate(t7 * l.number(5));
  const Doubles t9 = flag(l.ports[0] > t8);
  const Doubles n0 = t7;
  const Doubles n1 = t9;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(26, "3f88b2f807e212a9", 1, 0, 1, 0) {  // LevelSoma
  const Doubles t0 = flag(l.ports[0] > l.number(0));
  const Doubles n0 = t0;
  return n0;
}
SNN_STEP(27, "0659076c670240a8", 2, 0, 4, 0) {  // Multiply
  const Doubles t0 = rounded_product((l.ports[0] * l.ports[1]), l.number(0), l.number(1));
  const Doubles t1 = l.saturate(t0, l.number(2), l.number(3));
  const Doubles n0 = t1;
  return n0;
}
SNN_STEP(28, "3c9eb05865b73c06", 2, 0, 6, 1) {  // Positions
  const Doubles t0 = l.ports[1] * l.number(0);
  const Doubles t1 = t0 + l.number(1);
  const Doubles t2 = look_up(l.tables[0], clip(t1, l.number(2), l.number(3)));
  const Doubles t3 = l.ports[0] + t2;
  const Doubles t4 = l.saturate(t3, l.number(4), l.number(5));
  const Doubles n0 = t4;
  return n0;
}
SNN_STEP(29, "690ba2127eca048c", 2, 0, 8, 1) {  // Positions
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = l.ports[1] * l.number(2);
  const Doubles t2 = t1 + l.number(3);
  const Doubles t3 = look_up(l.tables[0], clip(t2, l.number(4), l.number(5)));
  const Doubles t4 = t0 + t3;
  const Doubles t5 = l.saturate(t4, l.number(6), l.number(7));
  const Doubles n0 = t5;
  return n0;
}
SNN_STEP(30, "426b6a049908d0c4", 1, 0, 6, 0) {  // Rectify
  const Doubles t0 = flag(l.ports[0] > l.number(0));
  const Doubles t1 = where(t0, l.ports[0], l.number(1));
  const Doubles t2 = rounded_product(t1, l.number(2), l.number(3));
  const Doubles t3 = l.saturate(t2, l.number(4), l.number(5));
  const Doubles n0 = t3;
  return n0;
}
SNN_STEP(31, "8632d129f1acd8b4", 1, 2, 10, 0) {  // RefractorySoma
  const Doubles t0 = rounded_product(l.words[0], l.number(0), l.number(1));
  const Doubles t1 = l.ports[0] * l.number(2);
  const Doubles t2 = t0 + t1;
  const Doubles t3 = t2 - l.words[1];
  const Doubles t4 = l.saturate(t3, l.number(3), l.number(4));
  const Doubles t5 = flag(t4 > l.number(5));
  const Doubles t6 = rounded_product(l.words[1], l.number(6), l.number(7));
  const Doubles t7 = where(t5, l.number(8), l.number(9));
  const Doubles t8 = t6 + t7;
  const Doubles t9 = l.saturate(t8, l.number(3), l.number(4));
  const Doubles n0 = t4;
  const Doubles n1 = t9;
  const Doubles n2 = t5;
  l.words[0] = n0;
  l.words[1] = n1;
  return n2;
}
SNN_STEP(32, "d919eb7cf3291095", 1, 2, 12, 0) {  // RefractorySoma
  const Doubles t0 = wide_product(l.words[0], l.number(0), l.number(1), l.number(2));
  const Doubles t1 = l.ports[0] * l.number(3);
  const Doubles t2 = t0 + t1;
  const Doubles t3 = t2 - l.words[1];
  const Doubles t4 = l.saturate(t3, l.number(4), l.number(5));
  const Doubles t5 = flag(t4 > l.number(6));
  const Doubles t6 = wide_product(l.words[1], l.number(7), l.number(8), l.number(9));
  const Doubles t7 = where(t5, l.number(10), l.number(11));
  const Doubles t8 = t6 + t7;
  const Doubles t9 = l.saturate(t8, l.number(4), l.number(5));
  const Doubles n0 = t4;
  const Doubles n1 = t9;
  const Doubles n2 = t5;
  l.words[0] = n0;
  l.words[1] = n1;
  return n2;
}
SNN_STEP(33, "238cd91781491425", 1, 0, 2, 0) {  // Requantize
  const Doubles t0 = l.saturate(l.ports[0], l.number(0), l.number(1));
  const Doubles n0 = t0;
  return n0;
}
SNN_STEP(34, "2fe08b54bdd5b13c", 1, 0, 5, 0) {  // Requantize
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = t0 + l.number(2);
  const Doubles t2 = l.saturate(t1, l.number(3), l.number(4));
  const Doubles n0 = t2;
  return n0;
}
SNN_STEP(35, "5718d1af57d5321d", 1, 0, 6, 0) {  // Requantize
  const Doubles t0 = wide_product(l.ports[0], l.number(0), l.number(1), l.number(2));
  const Doubles t1 = t0 + l.number(3);
  const Doubles t2 = l.saturate(t1, l.number(4), l.number(5));
  const Doubles n0 = t2;
  return n0;
}
SNN_STEP(36, "29c60077cca236c0", 2, 0, 9, 0) {  // Requantize
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = rounded_product(l.ports[1], l.number(2), l.number(3));
  const Doubles t2 = t0 + t1;
  const Doubles t3 = rounded_product(t2, l.number(4), l.number(5));
  const Doubles t4 = t3 + l.number(6);
  const Doubles t5 = l.saturate(t4, l.number(7), l.number(8));
  const Doubles n0 = t5;
  return n0;
}
SNN_STEP(37, "7aabbfabfee1793a", 2, 0, 10, 0) {  // Requantize
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = rounded_product(l.ports[1], l.number(2), l.number(3));
  const Doubles t2 = t0 + t1;
  const Doubles t3 = wide_product(t2, l.number(4), l.number(5), l.number(6));
  const Doubles t4 = t3 + l.number(7);
  const Doubles t5 = l.saturate(t4, l.number(8), l.number(9));
  const Doubles n0 = t5;
  return n0;
}
SNN_STEP(38, "d72751f9e6b63fea", 3, 0, 8, 0) {  // Requantize
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = rounded_product(l.ports[1], l.number(2), l.number(3));
  const Doubles t2 = t0 + t1;
  const Doubles t3 = rounded_product(l.ports[2], l.number(4), l.number(5));
  const Doubles t4 = t2 + t3;
  const Doubles t5 = l.saturate(t4, l.number(6), l.number(7));
  const Doubles n0 = t5;
  return n0;
}
SNN_STEP(39, "6cc0a4e7a6dad04e", 4, 0, 10, 0) {  // Requantize
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = rounded_product(l.ports[1], l.number(2), l.number(3));
  const Doubles t2 = t0 + t1;
  const Doubles t3 = rounded_product(l.ports[2], l.number(4), l.number(5));
  const Doubles t4 = t2 + t3;
  const Doubles t5 = rounded_product(l.ports[3], l.number(6), l.number(7));
  const Doubles t6 = t4 + t5;
  const Doubles t7 = l.saturate(t6, l.number(8), l.number(9));
  const Doubles n0 = t7;
  return n0;
}
SNN_STEP(40, "6441632df9e45c19", 2, 0, 6, 0) {  // Requantize
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = rounded_product(l.ports[1], l.number(2), l.number(3));
  const Doubles t2 = t0 + t1;
  const Doubles t3 = l.saturate(t2, l.number(4), l.number(5));
  const Doubles n0 = t3;
  return n0;
}
SNN_STEP(41, "8a83d5138736dc0f", 4, 0, 13, 0) {  // Requantize
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = rounded_product(l.ports[1], l.number(2), l.number(3));
  const Doubles t2 = t0 + t1;
  const Doubles t3 = rounded_product(l.ports[2], l.number(4), l.number(5));
  const Doubles t4 = t2 + t3;
  const Doubles t5 = rounded_product(l.ports[3], l.number(6), l.number(7));
  const Doubles t6 = t4 + t5;
  const Doubles t7 = rounded_product(t6, l.number(8), l.number(9));
  const Doubles t8 = t7 + l.number(10);
  const Doubles t9 = l.saturate(t8, l.number(11), l.number(12));
  const Doubles n0 = t9;
  return n0;
}
SNN_STEP(42, "23306790c5498c11", 4, 0, 14, 0) {  // Requantize
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = rounded_product(l.ports[1], l.number(2), l.number(3));
  const Doubles t2 = t0 + t1;
  const Doubles t3 = rounded_product(l.ports[2], l.number(4), l.number(5));
  const Doubles t4 = t2 + t3;
  const Doubles t5 = rounded_product(l.ports[3], l.number(6), l.number(7));
  const Doubles t6 = t4 + t5;
  const Doubles t7 = wide_product(t6, l.number(8), l.number(9), l.number(10));
  const Doubles t8 = t7 + l.number(11);
  const Doubles t9 = l.saturate(t8, l.number(12), l.number(13));
  const Doubles n0 = t9;
  return n0;
}
SNN_STEP(43, "1c40b5796baf5525", 3, 0, 11, 0) {  // Requantize
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = rounded_product(l.ports[1], l.number(2), l.number(3));
  const Doubles t2 = t0 + t1;
  const Doubles t3 = rounded_product(l.ports[2], l.number(4), l.number(5));
  const Doubles t4 = t2 + t3;
  const Doubles t5 = rounded_product(t4, l.number(6), l.number(7));
  const Doubles t6 = t5 + l.number(8);
  const Doubles t7 = l.saturate(t6, l.number(9), l.number(10));
  const Doubles n0 = t7;
  return n0;
}
SNN_STEP(44, "b02c6649d0778e5e", 3, 0, 12, 0) {  // Requantize
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = rounded_product(l.ports[1], l.number(2), l.number(3));
  const Doubles t2 = t0 + t1;
  const Doubles t3 = rounded_product(l.ports[2], l.number(4), l.number(5));
  const Doubles t4 = t2 + t3;
  const Doubles t5 = wide_product(t4, l.number(6), l.number(7), l.number(8));
  const Doubles t6 = t5 + l.number(9);
  const Doubles t7 = l.saturate(t6, l.number(10), l.number(11));
  const Doubles n0 = t7;
  return n0;
}
SNN_STEP(45, "b3d4d8c829c86413", 1, 3, 17, 0) {  // ResonatorSoma
  const Doubles t0 = rounded_product(l.words[0], l.number(0), l.number(1));
  const Doubles t1 = rounded_product(l.words[1], l.number(2), l.number(3));
  const Doubles t2 = t0 - t1;
  const Doubles t3 = rounded_product(l.ports[0], l.number(4), l.number(5));
  const Doubles t4 = t2 + t3;
  const Doubles t5 = where(l.words[2], l.number(6), l.number(7));
  const Doubles t6 = t4 - t5;
  const Doubles t7 = l.saturate(t6, l.number(8), l.number(9));
  const Doubles t8 = flag(t7 > l.number(10));
  const Doubles t9 = rounded_product(l.words[0], l.number(11), l.number(12));
  const Doubles t10 = rounded_product(l.words[1], l.number(13), l.number(14));
  const Doubles t11 = t9 + t10;
  const Doubles t12 = where(l.words[2], l.number(15), l.number(16));
  const Doubles t13 = t11 - t12;
  const Doubles t14 = l.saturate(t13, l.number(8), l.number(9));
  const Doubles n0 = t7;
  const Doubles n1 = t14;
  const Doubles n2 = t8;
  const Doubles n3 = t8;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(46, "a5c81012e3c180bf", 1, 3, 22, 0) {  // ResonatorSoma
  const Doubles t0 = wide_product(l.words[0], l.number(0), l.number(1), l.number(2));
  const Doubles t1 = wide_product(l.words[1], l.number(3), l.number(4), l.number(5));
  const Doubles t2 = t0 - t1;
  const Doubles t3 = wide_product(l.ports[0], l.number(6), l.number(7), l.number(8));
  const Doubles t4 = t2 + t3;
  const Doubles t5 = where(l.words[2], l.number(9), l.number(10));
  const Doubles t6 = t4 - t5;
  const Doubles t7 = l.saturate(t6, l.number(11), l.number(12));
  const Doubles t8 = flag(t7 > l.number(13));
  const Doubles t9 = wide_product(l.words[0], l.number(14), l.number(15), l.number(16));
  const Doubles t10 = wide_product(l.words[1], l.number(17), l.number(18), l.number(19));
  const Doubles t11 = t9 + t10;
  const Doubles t12 = where(l.words[2], l.number(20), l.number(21));
  const Doubles t13 = t11 - t12;
  const Doubles t14 = l.saturate(t13, l.number(11), l.number(12));
  const Doubles n0 = t7;
  const Doubles n1 = t14;
  const Doubles n2 = t8;
  const Doubles n3 = t8;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(47, "4063c319a96ea83f", 1, 3, 25, 0) {  // ResonatorSoma
  const Doubles t0 = rounded_product(l.words[0], l.number(0), l.number(1));
  const Doubles t1 = rounded_product(l.words[0], l.number(2), l.number(3));
  const Doubles t2 = t0 + t1;
  const Doubles t3 = rounded_product(l.words[1], l.number(4), l.number(5));
  const Doubles t4 = rounded_product(l.words[1], l.number(6), l.number(7));
  const Doubles t5 = t3 + t4;
  const Doubles t6 = t2 - t5;
  const Doubles t7 = rounded_product(l.ports[0], l.number(8), l.number(9));
  const Doubles t8 = t6 + t7;
  const Doubles t9 = where(l.words[2], l.number(10), l.number(11));
  const Doubles t10 = t8 - t9;
  const Doubles t11 = l.saturate(t10, l.number(12), l.number(13));
  const Doubles t12 = flag(t11 > l.number(14));
  const Doubles t13 = rounded_product(l.words[0], l.number(15), l.number(16));
  const Doubles t14 = rounded_product(l.words[0], l.number(17), l.number(18));
  const Doubles t15 = t13 + t14;
  const Doubles t16 = rounded_product(l.words[1], l.number(19), l.number(20));
  const Doubles t17 = rounded_product(l.words[1], l.number(21), l.number(22));
  const Doubles t18 = t16 + t17;
  const Doubles t19 = t15 + t18;
  const Doubles t20 = where(l.words[2], l.number(23), l.number(24));
  const Doubles t21 = t19 - t20;
  const Doubles t22 = l.saturate(t21, l.number(12), l.number(13));
  const Doubles n0 = t11;
  const Doubles n1 = t22;
  const Doubles n2 = t12;
  const Doubles n3 = t12;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(48, "a264301ebb5fa8b0", 1, 3, 34, 0) {  // ResonatorSoma
  const Doubles t0 = wide_product(l.words[0], l.number(0), l.number(1), l.number(2));
  const Doubles t1 = wide_product(l.words[0], l.number(3), l.number(4), l.number(5));
  const Doubles t2 = t0 + t1;
  const Doubles t3 = wide_product(l.words[1], l.number(6), l.number(7), l.number(8));
  const Doubles t4 = wide_product(l.words[1], l.number(9), l.number(10), l.number(11));
  const Doubles t5 = t3 + t4;
  const Doubles t6 = t2 - t5;
  const Doubles t7 = wide_product(l.ports[0], l.number(12), l.number(13), l.number(14));
  const Doubles t8 = t6 + t7;
  const Doubles t9 = where(l.words[2], l.number(15), l.number(16));
  const Doubles t10 = t8 - t9;
  const Doubles t11 = l.saturate(t10, l.number(17), l.number(18));
  const Doubles t12 = flag(t11 > l.number(19));
  const Doubles t13 = wide_product(l.words[0], l.number(20), l.number(21), l.number(22));
  const Doubles t14 = wide_product(l.words[0], l.number(23), l.number(24), l.number(25));
  const Doubles t15 = t13 + t14;
  const Doubles t16 = wide_product(l.words[1], l.number(26), l.number(27), l.number(28));
  const Doubles t17 = wide_product(l.words[1], l.number(29), l.number(30), l.number(31));
  const Doubles t18 = t16 + t17;
  const Doubles t19 = t15 + t18;
  const Doubles t20 = where(l.words[2], l.number(32), l.number(33));
  const Doubles t21 = t19 - t20;
  const Doubles t22 = l.saturate(t21, l.number(17), l.number(18));
  const Doubles n0 = t11;
  const Doubles n1 = t22;
  const Doubles n2 = t12;
  const Doubles n3 = t12;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(49, "c94472b512facdf4", 1, 1, 4, 0) {  // RunningSum
  const Doubles t0 = l.words[0] + l.ports[0];
  const Doubles t1 = rounded_product(t0, l.number(0), l.number(1));
  const Doubles t2 = l.saturate(t1, l.number(2), l.number(3));
  const Doubles n0 = t0;
  const Doubles n1 = t2;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(50, "aacc3d52c37013fe", 1, 0, 9, 1) {  // SelfGate
  const Doubles t0 = rounded_product(l.ports[0], l.number(0), l.number(1));
  const Doubles t1 = t0 + l.number(2);
  const Doubles t2 = clip(t1, l.number(3), l.number(4));
  const Doubles t3 = look_up(l.tables[0], clip(t2, l.number(3), l.number(4)));
  const Doubles t4 = rounded_product((l.ports[0] * t3), l.number(5), l.number(6));
  const Doubles t5 = l.saturate(t4, l.number(7), l.number(8));
  const Doubles n0 = t5;
  return n0;
}
SNN_STEP(51, "9cfa87c3939d4a48", 1, 3, 16, 0) {  // SigmaDelta
  const Doubles t0 = l.words[0] + l.ports[0];
  const Doubles t1 = l.saturate(t0, l.number(0), l.number(1));
  const Doubles t2 = t1 + l.number(2);
  const Doubles t3 = l.saturate(t2, l.number(0), l.number(1));
  const Doubles t4 = clip(t3, l.number(3), l.number(4));
  const Doubles t5 = t4 - l.words[1];
  const Doubles t6 = t5 + l.words[2];
  const Doubles t7 = flag(t6 > l.number(5));
  const Doubles t8 = -t6;
  const Doubles t9 = flag(t8 > l.number(6));
  const Doubles t10 = to_doubles(to_integers(t7) | to_integers(t9));
  const Doubles t11 = where(t10, t6, l.number(7));
  const Doubles t12 = t11 - l.number(8);
  const Doubles t13 = rounded_product(t12, l.number(9), l.number(10));
  const Doubles t14 = l.saturate(t13, l.number(11), l.number(12));
  const Doubles t15 = where(t10, l.number(13), t6);
  const Doubles t16 = clip(t15, l.number(14), l.number(15));
  const Doubles n0 = t1;
  const Doubles n1 = t4;
  const Doubles n2 = t16;
  const Doubles n3 = t14;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(52, "65ea6088f7d520a0", 1, 3, 15, 0) {  // SigmaDelta
  const Doubles t0 = l.words[0] + l.ports[0];
  const Doubles t1 = l.saturate(t0, l.number(0), l.number(1));
  const Doubles t2 = clip(t1, l.number(2), l.number(3));
  const Doubles t3 = t2 - l.words[1];
  const Doubles t4 = t3 + l.words[2];
  const Doubles t5 = flag(t4 > l.number(4));
  const Doubles t6 = -t4;
  const Doubles t7 = flag(t6 > l.number(5));
  const Doubles t8 = to_doubles(to_integers(t5) | to_integers(t7));
  const Doubles t9 = where(t8, t4, l.number(6));
  const Doubles t10 = t9 - l.number(7);
  const Doubles t11 = rounded_product(t10, l.number(8), l.number(9));
  const Doubles t12 = l.saturate(t11, l.number(10), l.number(11));
  const Doubles t13 = where(t8, l.number(12), t4);
  const Doubles t14 = clip(t13, l.number(13), l.number(14));
  const Doubles n0 = t1;
  const Doubles n1 = t2;
  const Doubles n2 = t14;
  const Doubles n3 = t12;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(53, "092e1251289109e5", 1, 3, 14, 0) {  // SigmaDelta
  const Doubles t0 = l.words[0] + l.ports[0];
  const Doubles t1 = l.saturate(t0, l.number(0), l.number(1));
  const Doubles t2 = t1 + l.number(2);
  const Doubles t3 = l.saturate(t2, l.number(0), l.number(1));
  const Doubles t4 = t3 - l.words[1];
  const Doubles t5 = t4 + l.words[2];
  const Doubles t6 = flag(t5 > l.number(3));
  const Doubles t7 = -t5;
  const Doubles t8 = flag(t7 > l.number(4));
  const Doubles t9 = to_doubles(to_integers(t6) | to_integers(t8));
  const Doubles t10 = where(t9, t5, l.number(5));
  const Doubles t11 = t10 - l.number(6);
  const Doubles t12 = rounded_product(t11, l.number(7), l.number(8));
  const Doubles t13 = l.saturate(t12, l.number(9), l.number(10));
  const Doubles t14 = where(t9, l.number(11), t5);
  const Doubles t15 = clip(t14, l.number(12), l.number(13));
  const Doubles n0 = t1;
  const Doubles n1 = t3;
  const Doubles n2 = t15;
  const Doubles n3 = t13;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(54, "89ab6a27c933711d", 1, 3, 11, 0) {  // SigmaDelta
  const Doubles t0 = l.words[0] + l.ports[0];
  const Doubles t1 = l.saturate(t0, l.number(0), l.number(1));
  const Doubles t2 = t1 - l.words[1];
  const Doubles t3 = t2 + l.words[2];
  const Doubles t4 = flag(t3 > l.number(2));
  const Doubles t5 = -t3;
  const Doubles t6 = flag(t5 > l.number(3));
  const Doubles t7 = to_doubles(to_integers(t4) | to_integers(t6));
  const Doubles t8 = where(t7, t3, l.number(4));
  const Doubles t9 = t8 - l.number(5);
  const Doubles t10 = rounded_product(t9, l.number(6), l.number(7));
  const Doubles t11 = l.saturate(t10, l.number(0), l.number(1));
  const Doubles t12 = where(t7, l.number(8), t3);
  const Doubles t13 = clip(t12, l.number(9), l.number(10));
  const Doubles n0 = t1;
  const Doubles n1 = t1;
  const Doubles n2 = t13;
  const Doubles n3 = t11;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(55, "9ac8a40ef7d5e719", 1, 3, 13, 0) {  // SigmaDelta
  const Doubles t0 = l.words[0] + l.ports[0];
  const Doubles t1 = l.saturate(t0, l.number(0), l.number(1));
  const Doubles t2 = t1 - l.words[1];
  const Doubles t3 = t2 + l.words[2];
  const Doubles t4 = flag(t3 > l.number(2));
  const Doubles t5 = -t3;
  const Doubles t6 = flag(t5 > l.number(3));
  const Doubles t7 = to_doubles(to_integers(t4) | to_integers(t6));
  const Doubles t8 = where(t7, t3, l.number(4));
  const Doubles t9 = t8 - l.number(5);
  const Doubles t10 = rounded_product(t9, l.number(6), l.number(7));
  const Doubles t11 = l.saturate(t10, l.number(8), l.number(9));
  const Doubles t12 = where(t7, l.number(10), t3);
  const Doubles t13 = clip(t12, l.number(11), l.number(12));
  const Doubles n0 = t1;
  const Doubles n1 = t1;
  const Doubles n2 = t13;
  const Doubles n3 = t11;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(56, "0155d6960253dcdf", 1, 3, 10, 0) {  // SigmaDelta
  const Doubles t0 = l.words[0] + l.ports[0];
  const Doubles t1 = l.saturate(t0, l.number(0), l.number(1));
  const Doubles t2 = t1 - l.words[1];
  const Doubles t3 = t2 + l.words[2];
  const Doubles t4 = flag(t3 > l.number(2));
  const Doubles t5 = -t3;
  const Doubles t6 = flag(t5 > l.number(3));
  const Doubles t7 = to_doubles(to_integers(t4) | to_integers(t6));
  const Doubles t8 = where(t7, t3, l.number(4));
  const Doubles t9 = l.saturate(t8, l.number(5), l.number(6));
  const Doubles t10 = where(t7, l.number(7), t3);
  const Doubles t11 = clip(t10, l.number(8), l.number(9));
  const Doubles n0 = t1;
  const Doubles n1 = t1;
  const Doubles n2 = t11;
  const Doubles n3 = t9;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(57, "904e8d42766e104c", 1, 3, 12, 0) {  // SigmaDelta
  const Doubles t0 = l.words[0] + l.ports[0];
  const Doubles t1 = l.saturate(t0, l.number(0), l.number(1));
  const Doubles t2 = clip(t1, l.number(2), l.number(3));
  const Doubles t3 = t2 - l.words[1];
  const Doubles t4 = t3 + l.words[2];
  const Doubles t5 = flag(t4 > l.number(4));
  const Doubles t6 = -t4;
  const Doubles t7 = flag(t6 > l.number(5));
  const Doubles t8 = to_doubles(to_integers(t5) | to_integers(t7));
  const Doubles t9 = where(t8, t4, l.number(6));
  const Doubles t10 = l.saturate(t9, l.number(7), l.number(8));
  const Doubles t11 = where(t8, l.number(9), t4);
  const Doubles t12 = clip(t11, l.number(10), l.number(11));
  const Doubles n0 = t1;
  const Doubles n1 = t2;
  const Doubles n2 = t12;
  const Doubles n3 = t10;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(58, "82cd55bcb4aa2ef4", 1, 3, 15, 0) {  // SigmaDelta
  const Doubles t0 = l.words[0] + l.ports[0];
  const Doubles t1 = l.saturate(t0, l.number(0), l.number(1));
  const Doubles t2 = t1 + l.number(2);
  const Doubles t3 = l.saturate(t2, l.number(0), l.number(1));
  const Doubles t4 = clip(t3, l.number(3), l.number(4));
  const Doubles t5 = t4 - l.words[1];
  const Doubles t6 = t5 + l.words[2];
  const Doubles t7 = flag(t6 > l.number(5));
  const Doubles t8 = -t6;
  const Doubles t9 = flag(t8 > l.number(6));
  const Doubles t10 = to_doubles(to_integers(t7) | to_integers(t9));
  const Doubles t11 = where(t10, t6, l.number(7));
  const Doubles t12 = t11 - l.number(8);
  const Doubles t13 = rounded_product(t12, l.number(9), l.number(10));
  const Doubles t14 = l.saturate(t13, l.number(11), l.number(12));
  const Doubles t15 = where(t10, l.number(13), t6);
  const Doubles t16 = clip(t15, l.number(3), l.number(14));
  const Doubles n0 = t1;
  const Doubles n1 = t4;
  const Doubles n2 = t16;
  const Doubles n3 = t14;
  l.words[0] = n0;
  l.words[1] = n1;
  l.words[2] = n2;
  return n3;
}
SNN_STEP(59, "92d5b10b190077a5", 1, 0, 2, 0) {  // SignSoma
  const Doubles t0 = flag(l.ports[0] > l.number(0));
  const Doubles t1 = -l.ports[0];
  const Doubles t2 = flag(t1 > l.number(1));
  const Doubles t3 = t0 - t2;
  const Doubles n0 = t3;
  return n0;
}
SNN_STEP(60, "f27c81fc91e3573f", 2, 0, 1, 0) {  // Silence
  const Doubles t0 = where(l.ports[1], l.ports[0], l.number(0));
  const Doubles n0 = t0;
  return n0;
}
SNN_STEP(61, "e4dd62936d2887c3", 1, 1, 7, 0) {  // SoftResetSoma
  const Doubles t0 = l.ports[0] * l.number(0);
  const Doubles t1 = l.words[0] + l.number(1);
  const Doubles t2 = t1 - l.number(2);
  const Doubles t3 = flag(t0 > t2);
  const Doubles t4 = minimum(t1, t0);
  const Doubles t5 = where(t3, t4, l.words[0]);
  const Doubles t6 = rounded_product(t5, l.number(3), l.number(4));
  const Doubles t7 = l.saturate(t6, l.number(5), l.number(6));
  const Doubles n0 = t7;
  const Doubles n1 = t3;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(62, "c2a8cd9b01cd8e09", 1, 1, 8, 0) {  // SoftResetSoma
  const Doubles t0 = l.ports[0] * l.number(0);
  const Doubles t1 = l.words[0] + l.number(1);
  const Doubles t2 = t1 - l.number(2);
  const Doubles t3 = flag(t0 > t2);
  const Doubles t4 = minimum(t1, t0);
  const Doubles t5 = where(t3, t4, l.words[0]);
  const Doubles t6 = wide_product(t5, l.number(3), l.number(4), l.number(5));
  const Doubles t7 = l.saturate(t6, l.number(6), l.number(7));
  const Doubles n0 = t7;
  const Doubles n1 = t3;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(63, "f29b4c4b3f4c5075", 1, 1, 8, 0) {  // TernarySoma
  const Doubles t0 = rounded_product(l.words[0], l.number(0), l.number(1));
  const Doubles t1 = l.ports[0] * l.number(2);
  const Doubles t2 = t0 + t1;
  const Doubles t3 = l.saturate(t2, l.number(3), l.number(4));
  const Doubles t4 = flag(t3 > l.number(5));
  const Doubles t5 = -t3;
  const Doubles t6 = flag(t5 > l.number(6));
  const Doubles t7 = t4 - t6;
  const Doubles t8 = to_doubles(to_integers(t4) | to_integers(t6));
  const Doubles t9 = where(t8, l.number(7), t3);
  const Doubles n0 = t9;
  const Doubles n1 = t7;
  l.words[0] = n0;
  return n1;
}
SNN_STEP(64, "c71859ec6eab4fbb", 1, 1, 9, 0) {  // TernarySoma
  const Doubles t0 = wide_product(l.words[0], l.number(0), l.number(1), l.number(2));
  const Doubles t1 = l.ports[0] * l.number(3);
  const Doubles t2 = t0 + t1;
  const Doubles t3 = l.saturate(t2, l.number(4), l.number(5));
  const Doubles t4 = flag(t3 > l.number(6));
  const Doubles t5 = -t3;
  const Doubles t6 = flag(t5 > l.number(7));
  const Doubles t7 = t4 - t6;
  const Doubles t8 = to_doubles(to_integers(t4) | to_integers(t6));
  const Doubles t9 = where(t8, l.number(8), t3);
  const Doubles n0 = t9;
  const Doubles n1 = t7;
  l.words[0] = n0;
  return n1;
}
#define SNN_STEPS(each) each(0, "287f234c042f4cb3") each(1, "a4c399207a61dddd") each(2, "c161da1a27f8712e") each(3, "9ffffe174f526ff1") each(4, "33ef01c275820880") each(5, "b3e9e857758e6551") each(6, "d1c7c692ee98112f") each(7, "8ec5342d162931e2") each(8, "f4387b5b4eb22799") each(9, "4cf0dbaa4d75cca3") each(10, "ce222ee03795c2fb") each(11, "328fd1adaf52435d") each(12, "6b0fa7a90684f4db") each(13, "e602bc18c88a12ab") each(14, "3580517a2cd5ac94") each(15, "fbc34da591caaaf3") each(16, "a893ca20deeaa324") each(17, "eb6a5924fc75c88e") each(18, "c85133555a382431") each(19, "5def929d1a5a723a") each(20, "c374e8981a14c78d") each(21, "9c95912636e28e5f") each(22, "6c1fc407a538b489") each(23, "2794af67994add0a") each(24, "cd7c731c711cb055") each(25, "4747eafb33dc662c") each(26, "3f88b2f807e212a9") each(27, "0659076c670240a8") each(28, "3c9eb05865b73c06") each(29, "690ba2127eca048c") each(30, "426b6a049908d0c4") each(31, "8632d129f1acd8b4") each(32, "d919eb7cf3291095") each(33, "238cd91781491425") each(34, "2fe08b54bdd5b13c") each(35, "5718d1af57d5321d") each(36, "29c60077cca236c0") each(37, "7aabbfabfee1793a") each(38, "d72751f9e6b63fea") each(39, "6cc0a4e7a6dad04e") each(40, "6441632df9e45c19") each(41, "8a83d5138736dc0f") each(42, "23306790c5498c11") each(43, "1c40b5796baf5525") each(44, "b02c6649d0778e5e") each(45, "b3d4d8c829c86413") each(46, "a5c81012e3c180bf") each(47, "4063c319a96ea83f") each(48, "a264301ebb5fa8b0") each(49, "c94472b512facdf4") each(50, "aacc3d52c37013fe") each(51, "9cfa87c3939d4a48") each(52, "65ea6088f7d520a0") each(53, "092e1251289109e5") each(54, "89ab6a27c933711d") each(55, "9ac8a40ef7d5e719") each(56, "0155d6960253dcdf") each(57, "904e8d42766e104c") each(58, "82cd55bcb4aa2ef4") each(59, "92d5b10b190077a5") each(60, "f27c81fc91e3573f") each(61, "e4dd62936d2887c3") each(62, "c2a8cd9b01cd8e09") each(63, "f29b4c4b3f4c5075") each(64, "c71859ec6eab4fbb")
