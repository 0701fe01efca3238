// Currencies whose minor unit is no hundredth, by their digits, as ISO 4217 has it and
// Accounting writes documents: what browsers hold for usual is another matter (no
// fillér, no sen). A test holds the two to each other.

const OTHERS = {
  "0": [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX",
    "UYI", "VND", "VUV", "XAF", "XOF", "XPF"
  ],
  "3": [
    "BHD", "IQD", "JOD", "KWD", "LYD", "OMN", "TND"
  ],
  "4": [
    "CLF", "UYW"
  ]
};

const DIGITS = new Map(
  Object.entries(OTHERS).flatMap(([digits, codes]) => codes.map((code) => [code, Number(digits)])),
);

export const minorDigits = (currency) => DIGITS.get(currency) ?? 2;
