// Whether single keys do something. Who speaks to the computer, or hits keys by accident,
// turns them off.

const KEPT = "orderly.keys";

export const areOn = () => localStorage.getItem(KEPT) !== "off";

export const turn = (on) => localStorage.setItem(KEPT, on ? "on" : "off");
