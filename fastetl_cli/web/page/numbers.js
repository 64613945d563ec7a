// What is asked of several numbers; of none, 0 and the infinities.

export const sum = (values) => values.reduce((a, b) => a + b, 0);
export const minOf = (values) => values.reduce((a, b) => Math.min(a, b), Infinity);
export const maxOf = (values) => values.reduce((a, b) => Math.max(a, b), -Infinity);
