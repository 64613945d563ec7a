(strokes) => {
  const sheet = document.getElementById("sheet");
  const box = sheet.getBoundingClientRect();
  const send = (name, x, y) => sheet.dispatchEvent(new PointerEvent(name, {
    pointerId: 1, pointerType: "pen", pressure: 0.5, button: 0, bubbles: true, cancelable: true,
    clientX: box.left + x * box.width, clientY: box.top + y * box.height,
  }));
  for (const stroke of strokes) {
    send("pointerdown", stroke[0], stroke[1]);
    for (let k = 2; k < stroke.length; k += 2) send("pointermove", stroke[k], stroke[k + 1]);
    send("pointerup", ...stroke.slice(-2));
  }
}
