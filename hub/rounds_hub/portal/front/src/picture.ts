/** Search by a picture: choosing a file, dropping or pasting one sends its form. */

export function watchPictureSearch(): void {
  const input = document.querySelector<HTMLInputElement>("#picture");
  if (input === null) return;
  const send = (): void => {
    if (input.files !== null && input.files.length > 0) input.form?.requestSubmit();
  };
  const take = (files: FileList | undefined): boolean => {
    if (files === undefined || files.length !== 1) return false;
    input.files = files;
    send();
    return true;
  };
  input.addEventListener("change", send);
  document.addEventListener("click", (event) => {
    if ((event.target as Element).closest("[data-pick]") !== null) input.click();
  });
  document.addEventListener("dragover", (event) => {
    if (event.dataTransfer?.types.includes("Files") === true) event.preventDefault();
  });
  document.addEventListener("drop", (event) => {
    if (take(event.dataTransfer?.files)) event.preventDefault();
  });
  document.addEventListener("paste", (event) => {
    if (take(event.clipboardData?.files)) event.preventDefault();
  });
}
