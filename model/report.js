for (const box of document.querySelectorAll(".characters")) {
  const rows = JSON.parse(box.querySelector("script").textContent)
  const body = box.querySelector("tbody"), heads = [...box.querySelectorAll("th")]
  const more = box.querySelector(".more"), find = box.querySelector("input")
  let column = 2, up = true, shown = 20
  function draw() {
    const wanted = find.value.trim()
    const chosen = rows.filter(row => !wanted || wanted.includes(row[0]))
    chosen.sort((a, b) => (a[column] > b[column] ? 1 : a[column] < b[column] ? -1 : 0) * (up ? 1 : -1))
    body.replaceChildren(...chosen.slice(0, shown).map(row => {
      const line = document.createElement("tr")
      for (const text of [row[0], row[1].toLocaleString("en"), (100 * row[2]).toFixed(2) + " %", row[3]])
        line.appendChild(document.createElement("td")).textContent = text
      return line
    }))
    more.hidden = chosen.length <= shown
    more.textContent = `All ${chosen.length.toLocaleString("en")}`
    heads.forEach((head, k) => head.ariaSort = k === column ? (up ? "ascending" : "descending") : "none")
  }
  heads.forEach((head, k) => head.firstChild.onclick = () => { up = k === column ? !up : true; column = k; draw() })
  more.onclick = () => { shown = rows.length; draw() }
  find.oninput = draw
  draw()
}
