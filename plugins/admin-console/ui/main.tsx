import './styles/console.css'
