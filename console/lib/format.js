// Figures and times as the reader's own locale writes them.

import { minorDigits } from "./currencies.js";

const locale = navigator.languages;
const counts = new Intl.NumberFormat(locale);
const clock = new Intl.DateTimeFormat(locale, { timeStyle: "medium" });
const dayAndClock = new Intl.DateTimeFormat(locale, {
  dateStyle: "medium",
  timeStyle: "medium",
});
const currencies = new Map();

export const count = (n) => (n == null ? "–" : counts.format(n));

export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

function currencyFormat(currency) {
  if (!currencies.has(currency)) {
    const digits = minorDigits(currency);
    const exactly = { minimumFractionDigits: digits, maximumFractionDigits: digits };
    currencies.set(
      currency,
      new Intl.NumberFormat(locale, { style: "currency", currency, ...exactly }),
    );
  }
  return currencies.get(currency);
}

// As text, since Intl takes decimals exactly and a division would not be.
export function decimal(minor, digits) {
  const sign = minor < 0 ? "-" : "";
  const padded = String(Math.abs(minor)).padStart(digits + 1, "0");
  if (!digits) return sign + padded;
  return `${sign}${padded.slice(0, -digits)}.${padded.slice(-digits)}`;
}

export const money = (minor, currency) =>
  currencyFormat(currency).format(decimal(minor, minorDigits(currency)));

// What a person types, in minor units; null where it is no amount of this currency.
export function parseMoney(text, currency) {
  const digits = minorDigits(currency);
  const match = /^(\d{1,12})(?:[.,](\d+))?$/.exec(text.trim());
  if (!match || (match[2] ?? "").length > digits) return null;
  return Number(match[1] + (match[2] ?? "").padEnd(digits, "0"));
}

export function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds === 0) return "0 s";
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

const isToday = (date) => date.toDateString() === new Date().toDateString();

export function time(iso) {
  const date = new Date(iso);
  return (isToday(date) ? clock : dayAndClock).format(date);
}

// `orders.order_confirmed.v1` → `order confirmed`
export const factName = (type) => words(type.split(".")[1]);

export const words = (name) => name.replaceAll("_", " ");
