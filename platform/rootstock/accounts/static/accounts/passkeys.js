// Tells what went wrong with a passkey: allauth's script reports it as an event.
const WORDS = {
  NotAllowedError: "The passkey was not used: it was cancelled, took too long, or is not known here.",
  InvalidStateError: "This device is registered already.",
};

document.addEventListener("allauth.error", (event) => {
  const text = WORDS[event.detail.exception?.name] ?? "The passkey could not be used. Try again, or sign in another way.";
  let told = document.getElementById("passkey-error");
  if (!told) {
    told = document.createElement("p");
    told.id = "passkey-error";
    told.className = "field-error";
    told.setAttribute("role", "alert");
    document.querySelector("#main .card-body").append(told);
  }
  told.textContent = text;
  event.preventDefault(); // said here; not for the browser's console too
});
